# Two images: `web` (the page, the default queue, the scheduler) has no ML library in it; `worker`
# (the queues gpu and llm) has. Both run as a user without rights and keep everything in /data.
#
#   docker build --target web -t spanlight-web .
#   docker build --target worker -t spanlight-worker .

FROM python:3.12-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data
RUN useradd --uid 10001 --create-home spanlight \
    && install --directory --owner spanlight --mode 0700 /data /data/storage
WORKDIR /app

FROM base AS build-web
COPY requirements-web.txt .
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-deps --require-hashes -r requirements-web.txt

FROM base AS build-worker
COPY requirements.txt requirements-cuda.txt ./
# CUDA's libraries unless pip was offered a CPU build of torch (as in the Makefile).
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-deps --require-hashes -r requirements.txt \
    && if python -c "import importlib.metadata as m, sys; sys.exit(not any('cuda' in r for r in m.requires('torch')))"; \
       then pip install --no-cache-dir --no-deps --require-hashes -r requirements-cuda.txt; fi

FROM base AS worker
COPY --from=build-worker /opt/venv /opt/venv
COPY mlworker mlworker
USER spanlight
CMD ["celery", "-A", "mlworker.worker", "worker", "--queues", "gpu", "--pool", "solo", \
     "--include", "mlworker.tasks.gpu,mlworker.tasks.llm", "--loglevel", "INFO"]

FROM base AS web
COPY --from=build-web /opt/venv /opt/venv
COPY . .
ENV STATIC_ROOT=/app/staticfiles
RUN DATA_DIR=/tmp/build python manage.py collectstatic --no-input --verbosity 0 && rm -r /tmp/build
USER spanlight
EXPOSE 8000
CMD ["gunicorn", "--config", "webapp/gunicorn.conf.py", "--bind", "0.0.0.0:8000", "webapp.wsgi"]

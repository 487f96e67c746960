"""The Celery app of the `default` queue and the scheduler."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

from mlworker import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
app = Celery("webapp")
app.conf.update(broker.settings())
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "sweep": {"task": "annotator.sweep", "schedule": settings.SWEEP_SECONDS},
    "retrain when due": {"task": "annotator.retrain_due", "schedule": 60.0},
}

"""Celery tasks of the queue `default`: thin, and safe to run twice."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from mlworker import schema

from . import pipeline
from .models import Project, WorkerBeat


@shared_task(name="annotator.store_result")
def store_result(reply: dict[str, Any]) -> None:
    pipeline.deliver(reply)


@shared_task(name="annotator.report_progress")
def report_progress(report: dict[str, Any]) -> None:
    pipeline.progress(schema.Progress.from_json(report))


@shared_task(name="annotator.worker_seen")
def worker_seen(queue: str) -> None:
    WorkerBeat.objects.update_or_create(queue=queue, defaults={"seen_at": timezone.now()})


@shared_task(name="annotator.sweep")
def sweep() -> None:
    worker_seen("default")
    pipeline.sweep()


@shared_task(name="annotator.retrain_due")
def retrain_due() -> None:
    """Retrains each project in which enough was reviewed since its model learned."""
    for project in Project.objects.filter(retrain_after__gt=0).select_related("serving"):
        pipeline.retrain_if_due(project)

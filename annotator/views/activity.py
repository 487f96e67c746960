"""What runs in a project now, and whether there is anybody to do it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from annotator import pace, pipeline
from annotator.figures import workers_seen
from annotator.models import Job, Project

SILENT_AFTER = timedelta(seconds=60)
STARTED = timezone.now()
"""When this process began: the workers that started with it may still be loading."""
QUEUES = [("default", "storing results"), ("gpu", "training and tagging")]


def activity_context(project: Project) -> dict[str, object]:
    """Running and paused jobs, the latest job where it failed, queues without a worker, and why
    the LLM is not asked just now."""
    latest = project.jobs.first()
    failed = latest if latest is not None and latest.state == Job.State.FAILED else None
    active = list(project.jobs.active())
    return {
        "active": active,
        "waiting": _waiting(project, active),
        "failed_job": failed,
        "silent": silent_queues(project),
    }


def _waiting(project: Project, active: list[Job]) -> str:
    """Why questions wait, in plain words; empty where there are none, or the LLM is asked."""
    if not any(job.is_running and job.kind in Job.ASKING for job in active):
        return ""
    found = pace.trouble(project)
    return found.notice if found is not None and found.until > timezone.now() else ""


def silent_queues(project: Project) -> list[str]:
    """What nobody does at the moment, in words; the LLM counts only where it may be asked."""
    seen = workers_seen()
    since = timezone.now() - SILENT_AFTER
    if since < STARTED:
        return []
    needed = QUEUES
    if project.llm_allowed:
        asking = pipeline.step_for(project, Job.Kind.LINK).queue
        needed = [*QUEUES, (asking, "asking the LLM")]
    return [work for queue, work in needed if queue not in seen or seen[queue] < since]

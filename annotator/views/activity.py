"""What runs in a project now, and whether there is anybody to do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from annotator import pace, remaining, steps
from annotator.figures import workers_seen
from annotator.models import Job, Project

SILENT_AFTER = timedelta(seconds=60)
STARTED = timezone.now()
"""When this process began: the workers that started with it may still be loading."""
QUEUES = [("default", "storing results"), ("gpu", "training and tagging")]
REST_IS_KEPT = "What was finished is kept; trying again does only the rest."
REMEDIES = {
    Job.Kind.TRAIN: "No gold is lost, and the version that served before still serves.",
    Job.Kind.TAG: REST_IS_KEPT,
    Job.Kind.LINK: "Answers that came are kept, and what has none goes to people; trying again "
    "asks only about the rest.",
    Job.Kind.RECALIBRATE: "τ stays as it was.",
    Job.Kind.TRIAL: "The prompt in use stays in use. Try the other one again on the prompt page.",
    Job.Kind.SPLIT: REST_IS_KEPT,
    Job.Kind.SWEEP: REST_IS_KEPT,
}
"""What a failure means for the work, by the kind of job."""


@dataclass(frozen=True)
class Active:
    """A job under way, how fast it goes and how long it takes still, as far as that is known."""

    job: Job
    rate: str
    left: str


@dataclass(frozen=True)
class Failed:
    job: Job
    remedy: str
    may_start: bool
    """Whether a button can start it again; what is tried, is tried from its own page."""


def activity_context(project: Project) -> dict[str, object]:
    """Running and paused jobs, the latest job where it failed, queues without a worker, and why
    the LLM is not asked just now."""
    active = list(project.jobs.active())
    now = timezone.now()
    return {
        "active": [
            Active(job, remaining.rate(job), remaining.time_left(job, now)) for job in active
        ],
        "waiting": _waiting(project, active),
        "failed": _failed(project.jobs.first()),
        "silent": silent_queues(project),
    }


def _failed(latest: Job | None) -> Failed | None:
    if latest is None or latest.state != Job.State.FAILED:
        return None
    kind = Job.Kind(latest.kind)
    return Failed(latest, REMEDIES[kind], may_start=kind != Job.Kind.TRIAL)


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
        asking = steps.step_for(project, Job.Kind.LINK).queue
        needed = [*QUEUES, (asking, "asking the LLM")]
    return [work for queue, work in needed if queue not in seen or seen[queue] < since]

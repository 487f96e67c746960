"""The steps of the loop, and how their chunks reach a worker and come back.

The only module that names ML tasks, by string, so that no web process ever loads torch.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from celery import signature
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from mlworker import schema

from . import (
    budget,
    chunks,
    ledger,
    linking,
    recalibrating,
    suggestions,
    tagging,
    training,
    trying,
)
from .chunks import Busy
from .models import Chunk, Job, Project, Prompt, User
from .training import Impossible

__all__ = [
    "Busy",
    "Impossible",
    "cancel",
    "deliver",
    "dispatch",
    "keep_budget",
    "run_here",
    "start",
    "sweep",
    "try_prompt",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What a kind of job does: `prepare` cuts the work into chunks, `request` makes a chunk's
    message, `task` (in `module`) answers it, `store` writes the answer and says how many items
    that settled (None: it did with the chunk itself what is to be done), `abandon` tells the
    items of a chunk that is given up, `lose` hears of an attempt that nothing came back from, and
    `late` of an answer to a chunk that has ended."""

    queue: str
    task: str
    module: str
    prepare: Callable[[Project], list[list[int]]]
    request: Callable[[Chunk], dict[str, Any]]
    store: Callable[[Chunk, dict[str, Any]], int | None]
    abandon: Callable[[Chunk, str], object] = lambda *_: None
    lose: Callable[[Chunk, str], object] = lambda *_: None
    late: Callable[[Chunk, dict[str, Any]], object] = lambda *_: None
    costs: bool = False
    """Whether doing a chunk costs money. A message that waited until its lease ran out was sent
    again, and such a one must not be acted on any more."""
    window: int = 1
    """How many chunks of one job may be with workers at a time."""


GPU, LLM = "mlworker.tasks.gpu", "mlworker.tasks.llm"

STEPS = {
    Job.Kind.TRAIN: Step(
        "gpu", "mlworker.train", GPU, training.prepare, training.request, training.store
    ),
    Job.Kind.TAG: Step(
        "gpu", "mlworker.tag", GPU, tagging.prepare, tagging.request, tagging.store, window=3
    ),
    Job.Kind.LINK: Step(
        "llm",
        "mlworker.ask",
        LLM,
        linking.prepare,
        linking.request,
        linking.store,
        abandon=linking.leave_open,
        lose=ledger.mark_unknown,
        late=linking.settle_late,
        costs=True,
        window=8,
    ),
    Job.Kind.RECALIBRATE: Step(
        "gpu",
        "mlworker.calibrate",
        GPU,
        recalibrating.prepare,
        recalibrating.request,
        recalibrating.store,
    ),
}
STEPS[Job.Kind.TRIAL] = replace(
    STEPS[Job.Kind.LINK], prepare=trying.prepare, request=trying.request
)


def step_of(job: Job) -> Step:
    return STEPS[Job.Kind(job.kind)]


# --- Starting and ending -----------------------------------------------------------------------
def start(project: Project, kind: str, user: User | None = None, *, follow: bool = True) -> Job:
    """Starts a step of the loop; with `follow` the next one starts when this one is done.

    Raises `Busy` where one of the kind is running, `Impossible` where something is missing.
    """
    job = chunks.open_job(
        project, kind, STEPS[Job.Kind(kind)].prepare(project), user=user, follow=follow
    )
    transaction.on_commit(lambda: dispatch(job))
    return job


@transaction.atomic
def try_prompt(project: Project, prompt: Prompt, user: User) -> Job:
    """Asks about some audited spans with `prompt` and with the one in use; raises as `start`."""
    trying.draw(project, prompt)
    return start(project, Job.Kind.TRIAL, user, follow=False)


def read_new_documents(project: Project, user: User | None = None) -> Job | None:
    """Starts tagging what came in, where there is a model to do it; a running tagging looks for
    new documents itself before it ends."""
    try:
        pieces = tagging.prepare(project)
        return start(project, Job.Kind.TAG, user) if pieces else None
    except (Busy, Impossible):
        return None


def retrain_if_due(project: Project) -> Job | None:
    """Starts a training where enough was reviewed since the last one."""
    if not training.is_due(project):
        return None
    try:
        return start(project, Job.Kind.TRAIN)
    except (Busy, Impossible):
        return None


def retrain_soon(project: Project) -> bool:
    """Asks the workers to look at once, instead of at the scheduler's next round, whether a
    training is due; False where it is not. Nobody's submit waits for gold to be exported."""
    if not training.is_due(project):
        return False
    try:
        signature("annotator.retrain_due", queue="default").apply_async(retry=False)
    except (OperationalError, OSError) as error:
        log.warning("the scheduler will see to the training: %s", error)
    return True


def keep_budget(project: Project) -> None:
    """Chooses τ anew where a budget of questions says it, and rebuilds what it routes."""
    if budget.keep(project):
        suggestions.refresh_under_review(project)


def cancel(job: Job) -> bool:
    """Stops a job: what was stored stays, what has not been sent never is."""
    return chunks.end_job(job, Job.State.CANCELLED, "Cancelled.")


def settle(job: Job) -> None:
    """Ends `job` if all its chunks have ended, and starts the step that follows."""
    following = follow_up(job) if _ended(job) else None
    if following is None:
        return
    try:
        start(job.project, following, job.created_by)
    except (Busy, Impossible) as reason:
        log.info("%s does not follow job %s: %s", following, job.pk, reason)


def _ended(job: Job) -> bool:
    """Ends `job` if all its chunks have; what was read then says which τ keeps to a budget."""
    if not chunks.settle(job):
        return False
    job.refresh_from_db()
    if job.kind == Job.Kind.TAG:
        keep_budget(job.project)
    return True


def follow_up(job: Job) -> str | None:
    """The loop: train → tag → link held-out gold → recalibrate (once a version) → link the rest.

    What came up while a job ran (a new version, new documents) makes it run once more, and a
    method without τ, because it was chosen after the training, has it chosen after tagging.
    """
    if not job.follow or job.state != Job.State.DONE or job.kind == Job.Kind.TRIAL:
        return None
    project = Project.objects.select_related("serving").get(pk=job.project_id)
    if job.kind == Job.Kind.TRAIN or (job.kind == Job.Kind.TAG and tagging.missed(job, project)):
        return Job.Kind.TAG
    lacks_tau = job.kind == Job.Kind.TAG and recalibrating.lacks_tau(project)
    if lacks_tau or (job.kind == Job.Kind.LINK and recalibrating.is_due(project)):
        return Job.Kind.RECALIBRATE
    if not project.llm_allowed or (job.kind == Job.Kind.LINK and not linking.is_due(project)):
        return None
    return Job.Kind.LINK


# --- Through the queues ------------------------------------------------------------------------
def dispatch(job: Job) -> None:
    """Sends as many of the job's chunks as its window holds, and settles it if none is left."""
    step = step_of(job)
    while job.chunks.filter(state=Chunk.State.SENT).count() < step.window:
        chunk = chunks.claim(job)
        if chunk is None:
            break
        if not _send(step, chunk):
            return
    settle(job)


def _send(step: Step, chunk: Chunk) -> bool:
    """Sends a claimed chunk; gives it back where the broker is away (the sweeper comes again)."""
    back = signature("annotator.store_result", queue="default")
    expires = settings.CHUNK_LEASE_SECONDS if step.costs else None
    try:
        request = step.request(chunk)
        work = signature(step.task, args=[request], queue=step.queue, expires=expires)
        (work | back).apply_async()
    except Impossible as reason:
        chunks.end_job(chunk.job, Job.State.FAILED, str(reason))
        return False
    except (OperationalError, OSError) as error:  # no broker, or no room for the message's files
        log.warning("chunk %s was not sent: %s", chunk.pk, error)
        step.lose(chunk, f"it was not sent: {error}")
        chunks.unclaim(chunk)
        return False
    return True


def deliver(reply: dict[str, Any], then: Callable[[Job], None] | None = dispatch) -> None:
    """Stores what a worker answered, then goes on with the job. A message that comes twice finds
    nothing to do."""
    envelope = reply.get("ok") or reply["failure"]
    with transaction.atomic():
        chunk = (
            Chunk.objects.select_for_update(of=("self",))
            .select_related("job__project__serving", "job__version")
            .filter(pk=envelope["chunk"])
            .first()
        )
        if chunk is None:
            return
        _take(chunk, reply)
        job = chunk.job
    if then is not None:
        then(job)


def _take(chunk: Chunk, reply: dict[str, Any]) -> None:
    step = step_of(chunk.job)
    if "ok" not in reply:
        if not chunk.has_ended:
            _fail(chunk, schema.Failure.from_json(reply["failure"]).error)
    elif chunk.has_ended:
        step.late(chunk, reply["ok"])
    elif (settled := step.store(chunk, reply["ok"])) is not None:
        chunks.complete(chunk, settled)


def _fail(chunk: Chunk, error: str) -> None:
    """Halves a chunk that cannot be done, so that one item does not take the others with it."""
    log.warning("chunk %s of job %s: %s", chunk.pk, chunk.job_id, error)
    step = step_of(chunk.job)
    step.lose(chunk, error)
    if not chunks.split(chunk, error):
        step.abandon(chunk, error)
        chunks.give_up(chunk, error)


def sweep() -> None:
    """Looks after every running job: lost chunks are sent again, due ones sent."""
    for job in Job.objects.active().select_related("project__serving", "version"):
        reclaim(job)
        dispatch(job)


def reclaim(job: Job) -> None:
    """Takes back chunks whose lease ran out. One that only waits its turn in a queue where
    others are being worked on is left there; one begun too often is split or given up."""
    step = step_of(job)
    for chunk in chunks.lost(job):
        if chunk.starts == 0 and chunks.queue_moves(_kinds_on(step.queue)):
            chunks.renew(chunk.pk, chunk.attempts)
            continue
        with transaction.atomic():
            if not chunks.take_back(chunk):
                continue
            step.lose(chunk, "nothing came back before its lease ran out")
            if chunk.starts >= chunks.MAX_STARTS:
                _fail(chunk, f"given up after {chunk.starts} starts: the worker died each time")


def _kinds_on(queue: str) -> list[str]:
    return [kind for kind, step in STEPS.items() if step.queue == queue]


def progress(report: schema.Progress) -> None:
    """A worker's sign of life: before it knows how much there is to do, it has just begun."""
    if report.total == 0:
        chunks.begin(report.chunk, report.attempt)
    else:
        chunks.renew(report.chunk, report.attempt)
    chunks.show_progress(report)


# --- In the foreground -------------------------------------------------------------------------
def run_here(project: Project, kind: str, tell: Callable[[Job], None]) -> Job:
    """Runs one step in this process, without broker or workers, through the same code.

    `tell` is called whenever the job moved. Workers that run beside it may take chunks too.
    """
    step = STEPS[Job.Kind(kind)]
    job = _open_or_take_over(project, kind, step)
    task = getattr(importlib.import_module(step.module), step.task.rpartition(".")[2])
    listening = importlib.import_module("mlworker.progress").listening

    def moved(report: schema.Progress | None = None) -> None:
        if report is not None:
            progress(report)
        job.refresh_from_db()
        tell(job)

    try:
        with listening(moved):
            while job.is_active:
                chunk = chunks.claim(job)
                if chunk is not None:
                    deliver(task(step.request(chunk)), then=None)
                elif not _ended(job):
                    reclaim(job)
                    time.sleep(0.2)  # until a postponed chunk is due or a worker beside us ends
                moved()
    except BaseException:
        cancel(job)
        raise
    return job


def _open_or_take_over(project: Project, kind: str, step: Step) -> Job:
    """A new job, or the running one where nobody is at it: its process was killed."""
    try:
        return chunks.open_job(project, kind, step.prepare(project), follow=False)
    except Busy as busy:
        if chunks.is_attended(busy.job):
            raise
        return busy.job

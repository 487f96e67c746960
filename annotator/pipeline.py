"""How a step of the loop is started and ended, and how its chunks reach a worker and come back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import signature
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from mlworker import schema

from . import asking, budget, chunks, ledger, pace, suggestions, tagging, training, trying
from .models import Chunk, Job, Project, Prompt, User
from .refusals import Busy, Impossible
from .steps import Step, follow_up, step_for, step_of

log = logging.getLogger(__name__)


# --- Starting and ending -----------------------------------------------------------------------
def start(project: Project, kind: str, user: User | None = None, *, follow: bool = True) -> Job:
    """Starts a step of the loop; with `follow` the next one starts when this one is done.

    Raises `Busy` where one of the kind is running, `Impossible` where something is missing.
    """
    job = chunks.open_job(
        project, kind, step_for(project, kind).prepare(project), user=user, follow=follow
    )
    transaction.on_commit(lambda: dispatch(job))
    return job


@transaction.atomic
def try_prompt(project: Project, prompt: Prompt, user: User) -> Job:
    """Asks about some spans of held-out gold with `prompt` and with the one in use; raises as
    `start`."""
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


def judge_anew(project: Project, user: User | None = None) -> None:
    """After another LLM, prompt or uncertainty was chosen: τ and the weights of fusion rest on what
    that one says of held-out gold, and suggestions follow. Where nothing can be learned, because
    there is no held-out gold or no model, suggestions follow all the same."""
    try:
        start(project, Job.Kind.RECALIBRATE, user, follow=False)
    except (Busy, Impossible):
        suggestions.refresh_under_review(project)


def cancel(job: Job) -> bool:
    """Stops a job: what was stored stays, what has not been sent never is."""
    return chunks.end_job(job, Job.State.CANCELLED, "Cancelled.")


def pause(job: Job) -> bool:
    """What is under way is stored when it comes; nothing more is sent until `resume`."""
    return chunks.pause(job)


def resume(job: Job) -> bool:
    """Goes on with a paused job; False where it is none."""
    if not chunks.resume(job):
        return False
    transaction.on_commit(lambda: dispatch(job))
    return True


def give_up(job: Job, reason: str) -> None:
    """Ends a job that nothing more can be done for now, and tells its items why."""
    if chunks.end_job(job, Job.State.FAILED, reason):
        for chunk in job.chunks.unfinished():
            step_of(job).abandon(chunk, reason)


def settle(job: Job) -> None:
    """Ends `job` if all its chunks have ended, and starts the step that follows."""
    following = follow_up(job) if ended(job) else None
    if following is None:
        return
    try:
        start(job.project, following, job.created_by)
    except (Busy, Impossible) as reason:
        log.info("%s does not follow job %s: %s", following, job.pk, reason)


def ended(job: Job) -> bool:
    """Ends `job` if all its chunks have; what was read then says which τ keeps to a budget."""
    if not chunks.settle(job):
        return False
    job.refresh_from_db()
    if job.kind == Job.Kind.TAG:
        keep_budget(job.project)
    return True


# --- Through the queues ------------------------------------------------------------------------
def dispatch(job: Job) -> None:
    """Sends as many of the job's chunks as its window holds, and settles it if none is left."""
    step = step_of(job)
    while job.chunks.filter(state=Chunk.State.SENT).count() < step.window(job):
        chunk = step.claim(job)
        if chunk is None:
            break
        if not _send(step, chunk):
            return
    settle(job)


def message(step: Step, chunk: Chunk) -> dict[str, Any] | None:
    """The request of a claimed chunk; None where nothing of it is left to be sent, which ends it.

    Raises `Impossible`, and then the chunk is given back: a server that is shared has no place
    taken by what is not sent.
    """
    try:
        return step.request(chunk)
    except asking.Settled:
        chunks.complete(chunk, len(chunk.items))
        return None
    except Impossible:
        chunks.unclaim(chunk)
        raise


def _send(step: Step, chunk: Chunk) -> bool:
    """Sends a claimed chunk; gives it back where the broker is away (the sweeper comes again)."""
    back = signature("annotator.store_result", queue="default")
    expires = settings.CHUNK_LEASE_SECONDS if step.costs else None
    try:
        request = message(step, chunk)
        if request is None:
            return True
        work = signature(step.task, args=[request], queue=step.queue, expires=expires)
        (work | back).apply_async()
    except Impossible as reason:
        chunks.end_job(chunk.job, Job.State.FAILED, str(reason))
        return False
    except (OperationalError, OSError) as error:  # no broker, or no room for the message's files
        log.warning("chunk %s was not sent: %s", chunk.pk, error)
        step.withdraw(chunk, f"it was not sent: {error}")
        chunks.unclaim(chunk)
        return False
    return True


def go_on(job: Job) -> None:
    """Sends what an answer made room for. Where jobs share a server, it goes to those that have
    waited longest: `job` itself comes last."""
    if step_of(job).costs:
        others = pace.waiting(job).select_related("project__serving", "version")
        for other in others.order_by("updated_at"):
            dispatch(other)
    dispatch(job)


def deliver(reply: dict[str, Any], then: Callable[[Job], None] | None = go_on) -> None:
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
        _come_back(chunk)


def _come_back(chunk: Chunk) -> None:
    """Has a postponed chunk looked at when it is due, should that be before the sweeper's round."""
    if chunk.state != Chunk.State.PENDING or chunk.not_before is None:
        return
    seconds = (chunk.not_before - timezone.now()).total_seconds()
    if seconds < settings.SWEEP_SECONDS:
        try:
            sweeper = signature("annotator.sweep", queue="default")
            sweeper.apply_async(countdown=max(0.0, seconds), retry=False)
        except (OperationalError, OSError) as error:
            log.warning("the scheduler will see to chunk %s: %s", chunk.pk, error)


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
    ledger.close_lost()
    for job in Job.objects.active().select_related("project__serving", "version"):
        reclaim(job)
        dispatch(job)


def reclaim(job: Job) -> None:
    """Takes back chunks whose lease ran out. One that only waits its turn in a queue where
    others are being worked on is left there; one begun too often is split or given up."""
    step = step_of(job)
    for chunk in chunks.lost(job):
        if chunk.starts == 0 and queue_moves(step.queue):
            chunks.renew(chunk.pk, chunk.attempts)
            continue
        with transaction.atomic():
            if not chunks.take_back(chunk):
                continue
            step.lose(chunk, "nothing came back before its lease ran out")
            if chunk.starts >= chunks.MAX_STARTS:
                _fail(chunk, f"given up after {chunk.starts} starts: the worker died each time")


def queue_moves(queue: str) -> bool:
    """Whether a worker of `queue` is at some chunk right now."""
    return any(step_of(job).queue == queue for job in chunks.attended_jobs())


def progress(report: schema.Progress) -> None:
    """A worker's sign of life: before it knows how much there is to do, it has just begun."""
    if report.total == 0:
        chunks.begin(report.chunk, report.attempt)
    else:
        chunks.renew(report.chunk, report.attempt)
    chunks.show_progress(report)

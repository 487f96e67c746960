"""The rules by which chunks are claimed, given up, split and ended.

Every change of state is one conditional UPDATE or happens under a lock on the chunk's row, so that
any number of processes may try at once and a message that is lost or doubled does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from mlworker import schema

from .models import Chunk, Job, Project, User
from .models.jobs import JobQuerySet
from .refusals import Busy

MAX_STARTS = 3
"""How often a chunk may be begun without ending before it is split or given up."""
MAX_FAILURES = 3
"""How many documents in a row may fail before a job that got nothing done is given up."""


def open_job(
    project: Project,
    kind: str,
    pieces: Sequence[Sequence[int]],
    *,
    user: User | None = None,
    follow: bool = True,
    cold: bool = False,
) -> Job:
    """A new job with its chunks, or `Busy`: one of a kind runs in a project at a time."""
    try:
        with transaction.atomic():
            job = Job.objects.create(
                project=project,
                kind=kind,
                method=project.method,
                version=None if kind == Job.Kind.TRAIN else project.serving,
                total=sum(len(piece) for piece in pieces),
                created_by=user,
                follow=follow,
                cold=cold,
            )
            Chunk.objects.bulk_create(Chunk(job=job, items=list(piece)) for piece in pieces)
    except IntegrityError:
        running = Job.objects.active().filter(project=project, kind=kind).first()
        if running is None:
            raise
        raise Busy(running) from None
    return job


def lease() -> datetime:
    return timezone.now() + timedelta(seconds=settings.CHUNK_LEASE_SECONDS)


def claim(job: Job) -> Chunk | None:
    """The next pending chunk of a running job that is due, now sent and ours."""
    due = Q(not_before=None) | Q(not_before__lte=timezone.now())
    running = Chunk.objects.filter(job=job, job__state=Job.State.RUNNING)
    while (chunk := running.filter(due, state=Chunk.State.PENDING).first()) is not None:
        won = Chunk.objects.filter(pk=chunk.pk, state=Chunk.State.PENDING).update(
            state=Chunk.State.SENT, attempts=F("attempts") + 1, lease_until=lease()
        )
        if won:
            chunk.refresh_from_db()
            return chunk
    return None


def lost(job: Job) -> list[Chunk]:
    """Chunks that were sent and whose lease ran out without an answer."""
    return list(job.chunks.filter(state=Chunk.State.SENT, lease_until__lt=timezone.now()))


def unclaim(chunk: Chunk) -> None:
    """Gives a claimed chunk back because it could not be sent."""
    Chunk.objects.filter(pk=chunk.pk, state=Chunk.State.SENT, attempts=chunk.attempts).update(
        state=Chunk.State.PENDING, lease_until=None
    )


def begin(chunk_id: int, attempt: int) -> None:
    """A worker says that it began this attempt; a restart of the same message counts again."""
    Chunk.objects.filter(pk=chunk_id, state=Chunk.State.SENT, attempts=attempt).update(
        starts=F("starts") + 1, lease_until=lease()
    )


def renew(chunk_id: int, attempt: int) -> None:
    """A sign of life."""
    Chunk.objects.filter(pk=chunk_id, state=Chunk.State.SENT, attempts=attempt).update(
        lease_until=lease()
    )


def postpone(chunk: Chunk, seconds: float) -> None:
    """Back to pending, not to be sent again before `seconds` from now."""
    chunk.state = Chunk.State.PENDING
    chunk.lease_until = None
    chunk.not_before = timezone.now() + timedelta(seconds=seconds)
    chunk.save(update_fields=["state", "lease_until", "not_before"])


def keep(chunk: Chunk, items: Sequence[int]) -> None:
    """The chunk goes on with `items` alone; the others are done."""
    done = len(chunk.items) - len(items)
    chunk.items = list(items)
    chunk.save(update_fields=["items"])
    Job.objects.filter(pk=chunk.job_id).update(done=F("done") + done, updated_at=timezone.now())


def narrow(chunk: Chunk, items: Sequence[int]) -> None:
    """Back to pending with `items` alone; the others are done."""
    keep(chunk, items)
    chunk.state, chunk.lease_until = Chunk.State.PENDING, None
    chunk.save(update_fields=["state", "lease_until"])


def split(chunk: Chunk, error: str, at_fault: int | None = None) -> bool:
    """Replaces a chunk of several items by two: the item `at_fault` and the others, or, where it is
    not known which that is, its halves. False where it has only one."""
    items = chunk.items
    if len(items) < 2:
        return False
    parts = items[: len(items) // 2], items[len(items) // 2 :]
    if at_fault in items:
        parts = [at_fault], [item for item in items if item != at_fault]
    Chunk.objects.bulk_create(Chunk(job_id=chunk.job_id, items=part) for part in parts)
    _end(chunk, Chunk.State.DONE, f"split: {error}")
    return True


def complete(chunk: Chunk, done: int) -> None:
    """The chunk's work is stored; `done` is how many items that settles."""
    _end(chunk, Chunk.State.DONE, "")
    Job.objects.filter(pk=chunk.job_id).update(done=F("done") + done, updated_at=timezone.now())


def give_up(chunk: Chunk, error: str) -> None:
    """The chunk's items stay undone; the job goes on with the others."""
    _end(chunk, Chunk.State.FAILED, error)
    Job.objects.filter(pk=chunk.job_id).update(
        failed=F("failed") + max(1, len(chunk.items)), updated_at=timezone.now()
    )


def _end(chunk: Chunk, state: str, error: str) -> None:
    chunk.state, chunk.error, chunk.lease_until = state, error[:500], None
    chunk.save(update_fields=["state", "error", "lease_until"])


def hopeless(job: Job) -> bool:
    """Nothing got done and several items failed one by one: the cause is not in the items."""
    failed = job.chunks.filter(state=Chunk.State.FAILED).count()
    return failed >= MAX_FAILURES and not _got_something_done(job)


def _got_something_done(job: Job) -> bool:
    """Whether some chunk was completed; one that was split is done too, but carries an error."""
    return job.chunks.filter(state=Chunk.State.DONE, error="").exists()


def settle(job: Job) -> bool:
    """Ends a running job whose chunks have all ended; True for the one caller that did it. A
    paused one ends when it is resumed, so that nothing follows it before."""
    if job.chunks.unfinished().exists() and not hopeless(job):
        return False
    failed = job.chunks.filter(state=Chunk.State.FAILED)
    first = failed.order_by("pk").first()
    if first is None:
        return _end_job(job, Job.objects.running(), Job.State.DONE)
    state = Job.State.DONE if _got_something_done(job) else Job.State.FAILED
    return _end_job(job, Job.objects.running(), state, first.error)


def end_job(job: Job, state: str, note: str = "") -> bool:
    """Ends a running or paused job; True for the one caller that did it."""
    return _end_job(job, Job.objects.active(), state, note)


def _end_job(job: Job, among: JobQuerySet, state: str, note: str = "") -> bool:
    now = timezone.now()
    ended = among.filter(pk=job.pk)
    return bool(ended.update(state=state, note=note[:300], finished_at=now, updated_at=now))


def pause(job: Job) -> bool:
    """Nothing more of a running job is sent; True for the one caller that paused it."""
    running = Job.objects.running().filter(pk=job.pk)
    return bool(running.update(state=Job.State.PAUSED, updated_at=timezone.now()))


def resume(job: Job) -> bool:
    """A paused job goes on; True for the one caller that resumed it."""
    paused = Job.objects.filter(pk=job.pk, state=Job.State.PAUSED)
    return bool(paused.update(state=Job.State.RUNNING, updated_at=timezone.now()))


def take_back(chunk: Chunk) -> bool:
    """A lost chunk becomes pending again; False where its answer came in the meantime."""
    mine = Chunk.objects.filter(
        pk=chunk.pk,
        state=Chunk.State.SENT,
        attempts=chunk.attempts,
        lease_until__lt=timezone.now(),
    )
    return bool(mine.update(state=Chunk.State.PENDING, lease_until=None))


def is_attended(job: Job) -> bool:
    """Whether some chunk of `job` is with a worker."""
    sent = job.chunks.filter(state=Chunk.State.SENT, lease_until__gte=timezone.now())
    return sent.exists()


def attended_jobs() -> list[Job]:
    """The jobs, of any project, some chunk of which a worker has begun and is still at."""
    begun = Chunk.objects.filter(state=Chunk.State.SENT, starts__gt=0)
    at_work = begun.filter(lease_until__gte=timezone.now()).select_related("job__project")
    return [chunk.job for chunk in at_work]


def show_progress(report: schema.Progress) -> None:
    """Jobs of one chunk (training) count in the worker's steps instead of items."""
    Job.objects.active().filter(chunks=report.chunk, kind=Job.Kind.TRAIN).update(
        done=report.done, total=report.total, note=report.note[:300], updated_at=timezone.now()
    )

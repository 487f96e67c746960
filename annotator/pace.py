"""How fast and when the operator's LLM server is asked, over all jobs and projects.

No request begins before the time that the server named, nor while it is left alone because it
failed several times in a row, and never are more under way than `LLM_CONCURRENCY`. Recorded
answers come from a file, and of a project whose LLM was turned off nothing is sent: nobody has to
wait for those.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from mlworker import schema

from . import chunks
from .asked import whom
from .models import Chunk, Job, LLMCall, Pace, Project
from .models.jobs import JobQuerySet

ENOUGH = 5
"""After how many failures in a row the server is left alone."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds; each further failure doubles the first pause."""
NO_SERVER = {Project.Provider.NONE, Project.Provider.RECORDED}


def claim(job: Job) -> Chunk | None:
    """As `chunks.claim`, but None where the job's server is not to be asked just now."""
    if job.project.provider in NO_SERVER:
        return chunks.claim(job)
    to = whom(job.project)
    pace, _ = Pace.objects.get_or_create(provider=to.provider, model=to.model)
    if not _has_room(pace, beside=0):
        return None
    with transaction.atomic():
        # The chunk is locked before the pace, as it is where answers are stored: two that lock in
        # different orders may wait for each other.
        chunk = chunks.claim(job)
        pace = Pace.objects.select_for_update().get(pk=pace.pk)
        if chunk is not None and _has_room(pace, beside=1):
            return chunk
        transaction.set_rollback(True)
    return None


def _has_room(pace: Pace, beside: int) -> bool:
    """Whether one more request may begin now; `beside` of those under way is that one itself.
    While the server fails it is tried with one request at a time."""
    limit = 1 if pace.failures >= ENOUGH else settings.LLM_CONCURRENCY
    return pace.not_before <= timezone.now() and _under_way(pace.provider) - beside < limit


def _under_way(provider: str) -> int:
    """Chunks with questions to this provider that are with a worker, or on the way to one."""
    sent = Chunk.objects.filter(state=Chunk.State.SENT, lease_until__gte=timezone.now())
    asking = Q(job__kind__in=Job.ASKING, job__project__provider=provider)
    return sent.filter(asking).count()


def share(job: Job) -> int:
    """How many chunks of `job` may be with workers at a time, so that all who ask get on."""
    limit: int = settings.LLM_CONCURRENCY
    return -(-limit // (1 + waiting(job).count()))  # rounded up


def waiting(job: Job) -> JobQuerySet:
    """The other jobs with questions to the same provider that have not all been sent."""
    pending = Chunk.objects.filter(job=OuterRef("pk"), state=Chunk.State.PENDING)
    asking = Job.objects.running().filter(
        kind__in=Job.ASKING, project__provider=job.project.provider
    )
    return asking.filter(Exists(pending)).exclude(pk=job.pk)


def heed(call: LLMCall, result: schema.AskResult) -> None:
    """Takes from how a request ended how soon its server may be asked again."""
    if call.provider == Project.Provider.RECORDED:
        return
    if result.outcome in (schema.Outcome.ANSWERED, schema.Outcome.SPLIT):
        failing = Pace.objects.filter(provider=call.provider, model=call.model, failures__gt=0)
        failing.update(failures=0)
    elif result.server_failed or result.retry_after:
        _slow_down(call, result)


@transaction.atomic
def _slow_down(call: LLMCall, result: schema.AskResult) -> None:
    """Failures of requests that were under way when it was decided to leave the server alone say
    nothing new, and do not make the pause longer."""
    Pace.objects.get_or_create(provider=call.provider, model=call.model)
    pace = Pace.objects.select_for_update().get(provider=call.provider, model=call.model)
    now, seconds = timezone.now(), result.retry_after or 0.0
    if result.server_failed and pace.not_before <= now:
        pace.failures += 1
        seconds = max(seconds, _pause_after(pace.failures))
    until = now + timedelta(seconds=seconds)
    if until > pace.not_before:
        pace.not_before, pace.reason = until, result.trouble[:300]
    pace.save()


def _pause_after(failures: int) -> float:
    """Seconds."""
    if failures < ENOUGH:
        return 0.0
    return min(FIRST_PAUSE * 2.0 ** min(failures - ENOUGH, 10), LONGEST_PAUSE)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a server, in plain words without a full stop, and until when it is left
    alone for that (which may be over)."""

    what: str
    until: datetime

    @property
    def notice(self) -> str:
        return f"{self.what}. It is asked again at {_clock(self.until)}."


def trouble(project: Project) -> Trouble | None:
    """Why the server that `project` asks is not asked, or only tried, now; None where it is."""
    to = whom(project)
    pace = Pace.objects.filter(provider=to.provider, model=to.model).first()
    if pace is None or (not pace.failures and pace.not_before <= timezone.now()):
        return None
    if pace.failures:
        times = "once" if pace.failures == 1 else f"{pace.failures} times in a row"
        return Trouble(f"The LLM server failed {times} ({pace.reason})", pace.not_before)
    until = _clock(pace.not_before)
    return Trouble(f"The LLM server is left alone until {until} ({pace.reason})", pace.not_before)


def _clock(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%H:%M:%S %Z}"

"""The ledger of requests to an LLM: written before sending, settled when the answer is stored."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from mlworker import schema

from . import pace, spending
from .asked import Asked
from .models import Chunk, Job, LLMCall, Project, Question, WorkerBeat

WORKER_SILENCE = timedelta(seconds=60)
"""A worker that was not heard of for so long is not there; it says so four times as often."""


@transaction.atomic
def open_call(chunk: Chunk, to: Asked, request: schema.AskRequest) -> schema.AskRequest:
    """Writes the row of the request that is about to be sent, its cost reserved, and returns it:
    where a budget pays for it, its answer may be no longer than was reserved for.

    Raises `Impossible` where the budget has no room for it.
    """
    project = chunk.job.project
    call = LLMCall.objects.create(
        starts=chunk.starts,
        project=project,
        chunk=chunk,
        attempt=chunk.attempts,
        questions_count=request.size,
        examples=_examples(request),
        **asdict(to),
    )
    most = None
    if project.asks_server:
        call.micros = spending.reserve(call, request)
        call.save(update_fields=["micros"])
        if project.monthly_budget is not None:
            most = spending.most_of_answer(request)
    return replace(request, chunk=chunk.pk, attempt=chunk.attempts, most_tokens=most)


def _examples(request: schema.AskRequest) -> dict[str, list[dict[str, object]]]:
    """Those beside single questions, by the fingerprints of these."""
    beside = {q.id: [e.to_json() for e in q.examples] for q in request.questions if q.examples}
    questions = Question.objects.filter(pk__in=beside).values_list("fingerprint", "pk")
    return {fingerprint: beside[pk] for fingerprint, pk in questions}


def settle(chunk: Chunk, result: schema.AskResult) -> bool:
    """Enters what became of an attempt. An attempt that was given up as unknown, or as never sent,
    and answers after all is settled too; one that was settled before is left as it is (False)."""
    open_states = (LLMCall.State.SENT, LLMCall.State.UNKNOWN, LLMCall.State.UNSENT)
    calls = LLMCall.objects.filter(chunk=chunk, attempt=result.attempt)
    call: LLMCall | None = calls.filter(state__in=open_states).first()
    if call is None:
        return False
    # A question that the server refuses alone has its outcome, but no answer came.
    refused = call.provider == Project.Provider.OPENAI and not result.billed
    answered = result.outcome == schema.Outcome.ANSWERED and not refused
    ended = LLMCall.State.ANSWERED if answered else LLMCall.State.FAILED
    call.state = ended if result.sent else LLMCall.State.UNSENT
    call.raw, call.reason = result.raw, result.reason[:300]
    call.prompt_tokens, call.completion_tokens = result.prompt_tokens, result.completion_tokens
    call.latency_ms, call.settled_at = result.latency_ms, timezone.now()
    spending.settle(call, result)
    call.save()
    pace.heed(call, result)
    return True


def failures(chunk: Chunk) -> int:
    """How many requests of this chunk reached the server and came back without an answer."""
    return LLMCall.objects.filter(chunk=chunk, state=LLMCall.State.FAILED).count()


def mark_unknown(chunk: Chunk, reason: str) -> None:
    """Nothing came back from the chunk's latest attempt."""
    for call in LLMCall.objects.filter(chunk=chunk, state=LLMCall.State.SENT):
        _give_up(chunk, call, reason)


@transaction.atomic
def mark_unsent(chunk: Chunk, reason: str) -> None:
    """The chunk's latest attempt never left: there was no broker to take it. Should it have gone
    out all the same, its answer is settled before this or after, never meanwhile."""
    Chunk.objects.select_for_update().get(pk=chunk.pk)
    for call in LLMCall.objects.filter(chunk=chunk, state=LLMCall.State.SENT):
        spending.release(call)
        _close(call, LLMCall.State.UNSENT, reason)


def close_lost() -> None:
    """Closes what nobody waits for any more: requests whose chunk, or whose job, ended without
    them. A chunk that its job still waits for is its lease's business."""
    for pk in set(_lost().values_list("chunk", flat=True)):
        with transaction.atomic():
            chunk = Chunk.objects.select_for_update().get(pk=pk)
            for call in _lost().filter(chunk=chunk):
                _give_up(chunk, call, "nothing came back before its chunk ended")


def _lost() -> QuerySet[LLMCall]:
    past = timezone.now() - timedelta(seconds=settings.CHUNK_LEASE_SECONDS)
    calls = LLMCall.objects.filter(
        state=LLMCall.State.SENT, created_at__lt=past, chunk__isnull=False
    )
    awaited = Q(
        chunk__state=Chunk.State.SENT,
        chunk__attempts=F("attempt"),
        chunk__job__state__in=Job.ACTIVE,
    )
    lost: QuerySet[LLMCall] = calls.exclude(awaited)
    return lost


def _give_up(chunk: Chunk, call: LLMCall, reason: str) -> None:
    """It may have cost what was reserved, unless nobody can have begun it."""
    if not _may_have_been_begun(chunk, call):
        spending.release(call)
    _close(call, LLMCall.State.UNKNOWN, reason)


def _may_have_been_begun(chunk: Chunk, call: LLMCall) -> bool:
    """A worker said so, or one was there that may have: what it said is lost with a process that
    is killed while it is stored."""
    since = call.created_at - WORKER_SILENCE
    there = WorkerBeat.objects.filter(queue="llm", seen_at__gte=since)
    return chunk.starts > call.starts or there.exists()


def _close(call: LLMCall, state: str, reason: str) -> None:
    call.state, call.reason, call.settled_at = state, reason[:300], timezone.now()
    call.save()

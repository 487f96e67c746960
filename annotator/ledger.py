"""The ledger of requests to an LLM: written before sending, settled when the answer is stored."""

from __future__ import annotations

from django.utils import timezone

from mlworker import schema

from .asked import Asked
from .models import Chunk, LLMCall

STATES = {
    schema.Outcome.ANSWERED: LLMCall.State.ANSWERED,
    schema.Outcome.RETRY: LLMCall.State.FAILED,
    schema.Outcome.SPLIT: LLMCall.State.FAILED,
    schema.Outcome.REFUSED: LLMCall.State.FAILED,
}


def open_call(chunk: Chunk, to: Asked) -> None:
    """Writes the row of the request that is about to be sent."""
    LLMCall.objects.create(
        project_id=chunk.job.project_id,
        chunk=chunk,
        attempt=chunk.attempts,
        provider=to.provider,
        model=to.model,
        prompt_version=to.prompt_version,
        questions_count=len(chunk.items),
    )


def settle(chunk: Chunk, result: schema.AskResult) -> bool:
    """Enters what became of an attempt. An attempt that was given up as unknown and answers after
    all is settled too; one that was settled before is left as it is (False)."""
    open_states = (LLMCall.State.SENT, LLMCall.State.UNKNOWN)
    calls = LLMCall.objects.filter(chunk=chunk, attempt=result.attempt)
    call: LLMCall | None = calls.filter(state__in=open_states).first()
    if call is None:
        return False
    call.state = STATES[result.outcome]
    call.raw, call.reason = result.raw, result.reason[:300]
    call.prompt_tokens, call.completion_tokens = result.prompt_tokens, result.completion_tokens
    call.latency_ms, call.settled_at = result.latency_ms, timezone.now()
    call.save()
    return True


def failures(chunk: Chunk) -> int:
    """How many requests of this chunk came back without an answer."""
    return LLMCall.objects.filter(chunk=chunk, state=LLMCall.State.FAILED).count()


def mark_unknown(chunk: Chunk, reason: str) -> None:
    """The chunk's latest attempt was sent, but nothing came back: it may have cost something."""
    LLMCall.objects.filter(chunk=chunk, state=LLMCall.State.SENT).update(
        state=LLMCall.State.UNKNOWN, reason=reason[:300], settled_at=timezone.now()
    )

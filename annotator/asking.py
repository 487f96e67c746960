"""What questions and sweeps have in common: whether an LLM may be asked, and how a request ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Exists, Q

from mlworker import schema

from . import chunks, ledger, suggestions, twins
from .asked import set_up
from .models import Chunk, Job, LLMCall, Project
from .models.asking import AskedOnce, AskedQuerySet
from .refusals import Impossible

MAX_TRIES = 6
BACKOFF_SECONDS = 2.0
"""The first wait; each further one is twice as long, so that a minute without server is bridged."""
NOT_SET_UP = {
    Project.Provider.OPENAI: "No LLM server is set up. Set LLM_BASE_URL and LLM_MODEL, then "
    "restart.",
    Project.Provider.TRANSFORMERS: "No LLM is set up on this machine. Set LLM_FOLDER, then "
    "restart.",
}


class Settled(Exception):
    """Nothing of a chunk is left to be sent: what it asks was answered meanwhile."""


ALL = Q()
"""Whatever waits is of use."""
Write = Callable[[Chunk, schema.AskResult], list[int]]
"""Writes what was answered, to twins too; returns the items that stay open, to be asked again."""
LeaveOpen = Callable[[Chunk, str], object]
"""Says of the items of a request that failed why they are still open."""


def check(project: Project) -> None:
    """Raises `Impossible` where the project asks no LLM, or one that is not set up."""
    if not project.llm_allowed:
        raise Impossible("This project asks no LLM. Turn one on in its settings first.")
    provider = Project.Provider(project.provider)
    if provider in NOT_SET_UP and provider not in set_up():
        raise Impossible(NOT_SET_UP[provider])


def to_send(chunk: Chunk, rows: AskedQuerySet, still: Q | Exists = ALL) -> AskedQuerySet:
    """Those of a chunk's rows, of all that the project asks now, that still wait for an answer, and
    whose answer is `still` of use. The chunk goes on with them alone: others have one by now, as
    their twin may, or went with their document.

    Raises `Impossible` where some are not among `rows`, and `Settled` where none waits.
    """
    ours = rows.filter(pk__in=chunk.items)
    if ours.count() != rows.model.objects.filter(pk__in=chunk.items).count():
        raise Impossible("The project's LLM, prompt or labels changed; ask again.")
    suggestions.refresh(chunk.job.project, twins.settle(ours))
    waiting = ours.waiting().filter(still).select_related("document").order_by("document", "start")
    left = {row.pk for row in waiting}
    if not left:
        raise Settled
    if len(left) < len(chunk.items):
        chunks.keep(chunk, [item for item in chunk.items if item in left])
    return waiting


def store(chunk: Chunk, answer: dict[str, Any], write: Write, leave_open: LeaveOpen) -> int | None:
    """Settles the ledger and the items. None: the chunk is not ended (postponed or split)."""
    result = schema.AskResult.from_json(answer)
    if not ledger.settle(chunk, result):
        return None  # it came twice
    if result.outcome in (schema.Outcome.RETRY, schema.Outcome.WAIT):
        _retry(chunk, result, leave_open)
        return None
    is_split = result.outcome == schema.Outcome.SPLIT
    if is_split and chunks.split(chunk, result.reason, result.at_fault):
        return None
    if result.outcome == schema.Outcome.REFUSED:
        leave_open(chunk, result.reason)
        chunks.end_job(chunk.job, Job.State.FAILED, result.reason)
        return 0
    if result.outcome == schema.Outcome.ANSWERED:
        return _write(chunk, result, write)
    leave_open(chunk, result.reason)
    return len(chunk.items)


def _retry(chunk: Chunk, result: schema.AskResult, leave_open: LeaveOpen) -> None:
    """Postpones the chunk, or gives it up after so many requests that came to nothing."""
    if result.attempt != chunk.attempts:
        return  # it was given up as lost, and another request is under way
    tries = ledger.failures(chunk)
    if tries < MAX_TRIES:
        wait = result.retry_after
        chunks.postpone(chunk, BACKOFF_SECONDS**tries if wait is None else wait)
    else:
        leave_open(chunk, result.reason)
        chunks.give_up(chunk, result.reason)


def _write(chunk: Chunk, result: schema.AskResult, write: Write) -> int | None:
    """What got no usable answer is asked once more, without the others; then it is for people.
    None: the chunk goes on with these."""
    if left := write(chunk, result):
        chunks.narrow(chunk, left)
        return None
    return len(chunk.items)


def write_all(
    chunk: Chunk, result: schema.AskResult, rows: AskedQuerySet, take: Callable[[Any], str]
) -> list[int]:
    """Has each of a chunk's `rows` that has no answer yet `take` its own, which says why there is
    none (empty: there is), and copies that to twins; returns the ids of those that stay open."""
    call = chunk.calls.filter(attempt=result.attempt).first()
    states = AskedOnce.State
    # What the server refuses, for which it bills nothing, it would refuse again.
    again = result.billed and _may_ask_again(chunk)
    unanswered = states.OPEN if again else states.UNRESOLVED
    found = twins.alike(rows.filter(pk__in=chunk.items))
    asked = [row for row in found if row.pk in chunk.items and not row.is_answered]
    for row in asked:
        row.call, row.reason = call, take(row)[:300]
        row.state = unanswered if row.reason else states.ANSWERED
    twins.copy(asked, found)
    suggestions.refresh(chunk.job.project, twins.save(found))
    return [row.pk for row in asked if row.is_open]


def _may_ask_again(chunk: Chunk) -> bool:
    """Once, and only a server: recorded answers and scores do not change. Nobody goes on with a
    chunk that has ended."""
    may = chunk.job.project.asks_server and not chunk.has_ended
    return may and chunk.calls.filter(state=LLMCall.State.ANSWERED).count() == 1


def settle_late(chunk: Chunk, answer: dict[str, Any], write: Write) -> None:
    """An answer to a chunk that has ended: nobody waits for it, but it was paid for, so that what
    has no answer yet takes it."""
    result = schema.AskResult.from_json(answer)
    if ledger.settle(chunk, result) and result.outcome == schema.Outcome.ANSWERED:
        write(chunk, result)

"""The ways a request to an LLM ends without answers, and text from outside made fit to keep."""

from __future__ import annotations

from dataclasses import replace

from mlworker.schema import Answer, AskRequest, AskResult, Finds, Outcome

MAX_RAW = 8192
"""Bytes of a server's reply that are kept for people to read."""


def refused(request: AskRequest, reason: str, raw: str = "") -> AskResult:
    """Asking again will not help; `reason` says what an operator can do."""
    return _unbilled(request, Outcome.REFUSED, reason, raw)


def retry(
    request: AskRequest, reason: str, retry_after: float | None = None, raw: str = ""
) -> AskResult:
    """Ask again, not before `retry_after` seconds where the server said so."""
    return replace(_unbilled(request, Outcome.RETRY, reason, raw), retry_after=retry_after)


def wait(request: AskRequest, seconds: float, reason: str) -> AskResult:
    """No request was made: the server is to be left alone for `seconds`."""
    found = replace(retry(request, reason, seconds), outcome=Outcome.WAIT, trouble=reason)
    return unsent(found)


def unsent(result: AskResult) -> AskResult:
    """The same, where surely nothing reached the server."""
    return replace(result, sent=False, billed=False)


def split(
    request: AskRequest, reason: str, raw: str = "", at_fault: int | None = None
) -> AskResult:
    """One question may be at fault, that with the id `at_fault` where it is known: part the request
    in two, or give up a single question."""
    if request.size == 1:
        return replace(unresolved(request, reason, raw), billed=False)
    return replace(_unbilled(request, Outcome.SPLIT, reason, raw), at_fault=at_fault)


def _unbilled(request: AskRequest, outcome: Outcome, reason: str, raw: str) -> AskResult:
    """Without an answer nothing is to be paid, unless the caller knows otherwise."""
    return AskResult(
        request.chunk, request.attempt, outcome, reason=reason, raw=bounded(raw), billed=False
    )


def unresolved(request: AskRequest, reason: str, raw: str = "") -> AskResult:
    """The server answered, but not one question: all go to a person."""
    return AskResult(
        request.chunk,
        request.attempt,
        Outcome.ANSWERED,
        [Answer(question.id, None, reason=reason) for question in request.questions],
        finds=[Finds(passage.id, None, reason=reason) for passage in request.passages],
        raw=bounded(raw),
    )


def bounded(text: str, size: int = MAX_RAW) -> str:
    """The first `size` UTF-8 bytes of `text`, without what a database refuses (NUL, surrogates)."""
    stored = text[:size].replace("\0", "\ufffd").encode("utf-8", "replace")
    return stored[:size].decode("utf-8", "ignore")

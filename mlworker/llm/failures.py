"""What becomes of a request that the server did not answer with HTTP 200."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from mlworker.llm.outcomes import bounded, refused, retry, split
from mlworker.schema import AskRequest, AskResult

MAX_MESSAGE = 200
MAX_WAIT = 600.0
"""Seconds: the longest `Retry-After` that is taken at its word."""

BUSY = {408, 409, 425, 429}
QUESTION_AT_FAULT = {400, 404, 413, 422}
NO_CREDIT = "insufficient_quota"
NUMBERED = re.compile(r"\b(?:item|text) (\d{1,4})\b", re.I)
NO_MODEL = re.compile(r"\bmodel\b.*\b(not found|not exist)", re.I | re.S)


@dataclass(frozen=True)
class Complaint:
    """A server's error reply; `message`, `code` and `param` are empty where it gives none."""

    status: int
    message: str
    code: str
    param: str
    retry_after: float | None
    raw: str


def complaint(response: httpx2.Response, key: str) -> Complaint:
    """Reads an error reply; the API key is taken out, should the server repeat it. Whoever refuses
    the key may well repeat a part of it, so nothing of what it says is kept."""
    text = without(key, response.text) if response.status_code != 401 else ""
    error = _error_object(response) if text else {}
    message = error.get("message")
    message = " ".join(message.split()) if isinstance(message, str) else ""
    return Complaint(
        status=response.status_code,
        message=bounded(without(key, message), MAX_MESSAGE),
        code=str(error.get("code") or ""),
        param=str(error.get("param") or ""),
        retry_after=retry_after(response.headers.get("Retry-After", "")),
        raw=text,
    )


def without(key: str, text: str) -> str:
    """`text` in which the API key is not to be read."""
    return text.replace(key, "[key]") if key else text


def _error_object(response: httpx2.Response) -> dict[str, Any]:
    """`{"error": {"message": …}}`, `{"error": "…"}` or `{"message": …}`, as servers have it."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def outcome(request: AskRequest, error: Complaint) -> AskResult:
    said = f"HTTP {error.status}" + (f", {error.message}" if error.message else "")
    if remedy := _remedy(error):
        return refused(request, f"{remedy} ({said})", error.raw)
    if error.status in BUSY or error.status >= 500:
        reason = "the LLM server is too busy" if error.status == 429 else "the LLM server failed"
        found = retry(request, f"{reason} ({said})", error.retry_after, error.raw)
        trouble = f"{reason} (HTTP {error.status})"
        return replace(found, server_failed=error.status >= 500, trouble=trouble)
    reason = f"the LLM server refused the question ({said})"
    return split(request, reason, error.raw, _named(request, error.message))


def _named(request: AskRequest, message: str) -> int | None:
    """The id of the question or passage that a server says it refuses, by its number in the request
    ("item 3"); None where it names none, or several. All that follows from it is which of them are
    asked together the next time."""
    ids = dict(enumerate(request.ids, 1))
    found = {int(number) for number in NUMBERED.findall(message)} & ids.keys()
    return ids[found.pop()] if len(found) == 1 else None


def _remedy(error: Complaint) -> str:
    """What an operator has to put right first; empty where nothing of the kind is known."""
    if error.status in (401, 403):
        return "the LLM server refused the key: check LLM_API_KEY"
    if error.status == 402 or error.code == NO_CREDIT:
        return "the account at the LLM provider has no credit left"
    if 300 <= error.status < 400:
        return "the LLM server sends us elsewhere: set LLM_BASE_URL to its final address"
    if error.status == 404 and _no_such_model(error):
        return "the LLM server does not have this model: check LLM_MODEL"
    # A 404 without a message comes from some other web server, or from a wrong path on the right.
    elsewhere = error.status == 404 and not error.message
    known = error.status in BUSY | QUESTION_AT_FAULT or error.status >= 500
    return "no LLM answers at this address: check LLM_BASE_URL" if elsewhere or not known else ""


def _no_such_model(error: Complaint) -> bool:
    return error.code == "model_not_found" or bool(NO_MODEL.search(error.message))


def retry_after(header: str) -> float | None:
    """The seconds that a `Retry-After` header asks for, as a number or a date; at most 600."""
    try:
        seconds = float(header)
    except ValueError:
        seconds = _seconds_until(header)
    return min(max(seconds, 0.0), MAX_WAIT) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    """NaN where `date` is none."""
    try:
        then = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # OverflowError: in the year 10 ** 20
        return math.nan
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()

"""What every ML task has in common: JSON in, `{"ok": …}` or `{"failure": …}` out.

A task never raises, so its chain always reaches the task that stores the answer, and a chunk
whose work failed is told so instead of waiting for its lease to end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from mlworker import progress
from mlworker.schema import Failure, Progress, Work

log = logging.getLogger(__name__)

MAX_ERROR = 500

Request = TypeVar("Request", bound=Work)
Task = Callable[[dict[str, Any]], dict[str, Any]]


def envelope(kind: type[Request]) -> Callable[[Callable[[Request], Work]], Task]:
    """Turns `work(request: kind) -> Work` into `task(request: dict) -> dict`.

    The first thing it does is to say that it began: a chunk that is begun again and again and
    never ends is the one that kills its worker. Such a task is best acknowledged early
    (`acks_late=False`): whether a chunk is sent again is for its lease in the database to say,
    and two ways of sending it again would be one too many.
    """

    def decorate(work: Callable[[Request], Work]) -> Task:
        @wraps(work)
        def task(request: dict[str, Any]) -> dict[str, Any]:
            try:
                decoded = kind.from_json(request)
                progress.report(Progress(decoded.chunk, decoded.attempt, 0, 0, ""))
                return {"ok": work(decoded).to_json()}
            except Exception as error:
                log.exception("%s failed", work.__name__)
                return {"failure": failure(request, error).to_json()}

        return task

    return decorate


def failure(request: Any, error: Exception) -> Failure:
    """The `Failure` that answers `request`, whatever state that is in."""
    text = str(error).strip() or type(error).__name__
    if not isinstance(error, ValueError):
        text = f"{type(error).__name__}: {text}"
    return Failure(_number(request, "chunk"), _number(request, "attempt"), text[:MAX_ERROR])


def _number(request: Any, key: str) -> int:
    value = request.get(key) if isinstance(request, Mapping) else None
    return value if isinstance(value, int) else 0

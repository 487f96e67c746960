"""How a task says how far it is: to the queue, or to whoever listens in this process.

A worker's progress travels as a message to `annotator.report_progress`. A foreground command
takes it itself:

    with progress.listening(print):
        train(request)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery import current_app
from kombu.exceptions import OperationalError

from mlworker.schema import Progress, Work

Listener = Callable[[Progress], None]

log = logging.getLogger(__name__)


def send(progress: Progress) -> None:
    """Sends `progress` to the queue `default`; work never fails for a broker that is away."""
    try:
        current_app.send_task(
            "annotator.report_progress", args=[progress.to_json()], queue="default", retry=False
        )
    except (OperationalError, OSError) as error:
        log.warning("progress was not sent: %s", error)


_listener: ContextVar[Listener] = ContextVar("listener", default=send)


def report(progress: Progress) -> None:
    """Tells the listener of this context, by default `send`."""
    _listener.get()(progress)


def reporter(work: Work, every: float = 1.0) -> Callable[[int, int, str], None]:
    """A function (done, total, note) that reports on `work`, at most each `every` seconds."""
    last = -every

    def step(done: int, total: int, note: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every or done == total:
            last = now
            report(Progress(work.chunk, work.attempt, done, total, note))

    return step


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """All that is reported inside goes to `listener` instead of to the queue."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)

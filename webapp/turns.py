"""Requests take turns in each process, so that its threads do not get in each other's way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

PATIENCE = 0.1
"""Seconds a request may take before the next one begins beside it."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Turns:
    """A WSGI application that is called for one request after the other, in the order they came.

    Every statement to the database lets go of Python's global lock, and a thread that waits for it
    takes over: several requests at once are all late, and need half as much time again for nothing
    but changing places. One that takes longer than `PATIENCE`, as an upload does, holds up nobody:
    the next begins beside it.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        self._turn: object | None = None
        self._began = 0.0

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        turn = self._take()
        try:
            return self._application(environ, start_response)
        finally:
            self._give_back(turn)

    def _take(self) -> object:
        turn = object()
        with self._changed:
            self._line.append(turn)
            while self._line[0] is not turn or self._left() > 0:
                self._changed.wait(self._left() if self._line[0] is turn else None)
            self._line.popleft()
            self._turn, self._began = turn, time.monotonic()
            self._changed.notify_all()
        return turn

    def _left(self) -> float:
        """Seconds after which the next may begin beside the request whose turn it is."""
        return self._began + PATIENCE - time.monotonic() if self._turn is not None else 0.0

    def _give_back(self, turn: object) -> None:
        with self._changed:
            if self._turn is turn:
                self._turn = None
                self._changed.notify_all()

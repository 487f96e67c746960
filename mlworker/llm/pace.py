"""How soon a provider's server may be asked again, as far as this process knows.

A server that says when to come back means every request, not only the one it said it to. The
database hears of it when the answer is stored; messages that were sent before that wait here.
"""

from __future__ import annotations

import time
from threading import Lock

_lock = Lock()
_held: dict[str, tuple[float, str]] = {}
"""Until when (monotonic) the server of a provider is left alone, and why."""


def hold(provider: str, seconds: float, reason: str) -> None:
    """Leaves the server alone for `seconds`; one that wanted longer is left alone longer."""
    until = time.monotonic() + seconds
    with _lock:
        if until > _held.get(provider, (0.0, ""))[0]:
            _held[provider] = (until, reason)


def held(provider: str) -> tuple[float, str]:
    """For how many seconds the server is to be left alone yet (0 for not at all), and why."""
    with _lock:
        until, reason = _held.get(provider, (0.0, ""))
    return max(0.0, until - time.monotonic()), reason


def forget() -> None:
    """As in a fresh process."""
    with _lock:
        _held.clear()

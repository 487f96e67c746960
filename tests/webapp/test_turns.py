"""Requests of one process take turns, and a long one holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from webapp import turns
from webapp.turns import Turns

LONG = 60.0
"""Seconds; longer than any of these tests may take."""


def answer(*_: object) -> None:
    """What an application says its status and headers to."""


class Desk:
    """An application that says which requests have begun, and ends each when it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ends = {name: threading.Event() for name in "abc"}
        self._changed = threading.Condition()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        name = environ["name"]
        with self._changed:
            self.begun.append(name)
            self._changed.notify_all()
        assert self.ends[name].wait(LONG)
        return [name.encode()]

    def has_begun(self, count: int, within: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.begun) >= count, within)

    def await_begun(self, count: int) -> None:
        assert self.has_begun(count, LONG)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_next_begins_when_the_one_before_has_ended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    application = Turns(desk)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(application, {"name": "a"}, answer)
        desk.await_begun(1)
        second = threads.submit(application, {"name": "b"}, answer)
        assert not desk.has_begun(2, within=0.3)
        for name in "ab":
            desk.ends[name].set()
        assert (list(first.result(LONG)), list(second.result(LONG))) == ([b"a"], [b"b"])
    assert desk.begun == ["a", "b"]


def test_those_who_wait_go_in_the_order_they_came(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", LONG)
    application = Turns(desk)
    with ThreadPoolExecutor(3) as threads:
        for name in "abc":
            threads.submit(application, {"name": name}, answer)
            assert desk.has_begun(2, within=0.1) is False
        for name, count in (("a", 2), ("b", 3)):
            desk.ends[name].set()
            desk.await_begun(count)
        desk.ends["c"].set()
    assert desk.begun == ["a", "b", "c"]


def test_one_that_takes_long_holds_up_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    application = Turns(desk)
    with ThreadPoolExecutor(3) as threads:
        long = threads.submit(application, {"name": "a"}, answer)
        desk.await_begun(1)
        for name in "bc":
            desk.ends[name].set()
            assert list(threads.submit(application, {"name": name}, answer).result(LONG)) == [
                name.encode()
            ]
        assert not long.done()
        desk.ends["a"].set()
        assert list(long.result(LONG)) == [b"a"]


def test_one_that_fails_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", LONG)

    def failing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise ValueError(environ["name"])

    application = Turns(failing)
    for name in "ab":
        with ThreadPoolExecutor(1) as threads, pytest.raises(ValueError, match=name):
            threads.submit(application, {"name": name}, answer).result(LONG)

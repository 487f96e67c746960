"""Annotators at work, one alone or several at once: open the next document, decide, submit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from webapp.bench.client import Annotator, Sheet, Taken, Unexpected


@dataclass
class Worked:
    """Seconds of each call, and the ids of the documents opened, in order; `wall` seconds from
    the first call of all to the last."""

    opened: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    submitted: list[float] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    wall: float = 0.0

    @property
    def duplicates(self) -> int:
        """How many documents were handed out although they had been before."""
        return len(self.documents) - len(set(self.documents))


Work = Callable[[Annotator, str, int], Worked]


def submit(annotator: Annotator, project: str, count: int) -> Worked:
    """Opens `count` documents and submits each: what the other tools' pages were made to do."""
    worked, after = Worked(), None
    for _ in range(count):
        sheet = _opened(annotator, project, after, worked)
        with suppress(Taken):  # it is among the duplicates
            worked.submitted.append(annotator.decide(sheet, {"action": "submit"}))
        after = sheet["id"]
    return worked


def accept(annotator: Annotator, project: str, count: int) -> Worked:
    """As `submit`, but that the first mention of each is accepted before."""
    worked, after = Worked(), None
    for _ in range(count):
        sheet = _opened(annotator, project, after, worked)
        accept = {"action": "accept", "mention": _first(sheet)}
        worked.decided.append(annotator.decide(sheet, accept))
        worked.submitted.append(annotator.decide(sheet, {"action": "submit"}))
        after = sheet["id"]
    return worked


def change_mind(annotator: Annotator, sheet: Sheet, count: int) -> None:
    """Rejects the first mention of `sheet`, accepts it, and so on: `count` decisions."""
    for n in range(count):
        action = "accept" if n % 2 else "reject"
        annotator.decide(sheet, {"action": action, "mention": _first(sheet)})


def _first(sheet: Sheet) -> dict[str, object]:
    """The first mention, as a decision names it."""
    return {name: sheet["mentions"][0][name] for name in ("start", "end", "label")}


def _opened(annotator: Annotator, project: str, after: int | None, worked: Worked) -> Sheet:
    sheet, seconds = annotator.next(project, after)
    if sheet is None:
        raise Unexpected("nothing is left to review: give more --documents")
    worked.opened.append(seconds)
    worked.documents.append(sheet["id"])
    return sheet


def together(annotators: Sequence[Annotator], project: str, count: int, work: Work) -> Worked:
    """All of them do `work` at once, `count` documents each."""
    start = threading.Barrier(len(annotators))

    def alone(annotator: Annotator) -> tuple[float, Worked, float]:
        start.wait()
        began = time.perf_counter()
        worked = work(annotator, project, count)
        return began, worked, time.perf_counter()

    with ThreadPoolExecutor(len(annotators)) as threads:
        done = list(threads.map(alone, annotators))
    worked = _sum(each for _, each, _ in done)
    worked.wall = max(end for *_, end in done) - min(began for began, *_ in done)
    return worked


def _sum(each: Iterable[Worked]) -> Worked:
    total = Worked()
    for worked in each:
        total.opened += worked.opened
        total.decided += worked.decided
        total.submitted += worked.submitted
        total.documents += worked.documents
    return total

"""What each way of using the LLM finds and takes, per 1,000 documents, and which is worth it.

What it finds is judged by the calibration, on held-out gold (`Threshold.frontier`). What it takes
follows from how many questions and sentences that was, and from what the ledger says of the
requests that answered such.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from mlworker import schema
from mlworker.schema import Point, Route

from . import sweeping
from .asked import asked_by
from .cost import Cost, of_one
from .models import Project
from .swept import swept_by

SHARES = (10.0, 25.0, 50.0, 100.0)
"""Percent of the sentences for which it is shown what reading them brings."""
ENOUGH = 0.95
"""A share counts as read where so many of its sentences got an answer."""
PER = 1000
"""Documents that costs are stated for."""


# --- What was read -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Turns:
    """Of held-out gold: the sentences that were read, by document, and the shares that were."""

    read: dict[int, list[schema.Turn]]
    shares: list[float]


def turns(project: Project) -> Turns:
    """In the order in which the project has all its sentences read."""
    given = swept_by(project).answered()
    held_out = project.documents.held_out()
    kept = set(held_out.values_list("pk", flat=True))
    answered = set(given.filter(document__in=held_out).values_list("document", "start", "end"))
    if not answered:
        return Turns({}, [])
    ranked = sweeping.in_order(project)
    share = {at: 100 * turn / len(ranked) for turn, at in enumerate(ranked, 1) if at[0] in kept}
    read: dict[int, list[schema.Turn]] = defaultdict(list)
    for at in sorted(answered & share.keys()):
        read[at[0]].append(schema.Turn(at[1], at[2], share[at]))
    return Turns(read, [most for most in SHARES if _was_read(share, answered, most)])


def _was_read(
    share: dict[sweeping.Sentence, float], read: set[sweeping.Sentence], most: float
) -> bool:
    due = {at for at, of in share.items() if of <= most}
    return bool(due) and len(due & read) >= ENOUGH * len(due)


# --- What it takes -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Choice:
    """A route with what its questions and its reading take for `PER` documents; `number` is its
    place in table and figure."""

    number: int
    point: Point
    asking: Cost
    reading: Cost

    @property
    def cost(self) -> Cost:
        return self.asking + self.reading

    @property
    def name(self) -> str:
        return {
            Route.LOCAL: "Local model alone",
            Route.REPLACE: "Asking, the LLM’s label replaces",
            Route.POOL: "Asking, all that is known weighed",
            Route.SWEEP: "LLM alone, reading everything",
            Route.BOTH: f"Asking, and reading {self.point.share:g}%, weighed",
        }[self.point.route]

    @property
    def is_alone(self) -> bool:
        """Whether what it found was weighed with nothing else."""
        return self.point.route not in (Route.POOL, Route.BOTH)

    @property
    def lead(self) -> str:
        return _signed(self.point.lead)

    @property
    def bounds(self) -> str:
        """Of the lead."""
        return f"{_signed(self.point.low)} to {_signed(self.point.high)}"

    @property
    def beyond_chance(self) -> bool:
        """Whether its lead is on one side of 0 in 95 of 100 resamples."""
        return self.point.low > 0 or self.point.high < 0


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


@dataclass(frozen=True)
class Choices:
    """All routes that checked documents can tell of."""

    documents: int
    gold: int
    rows: list[Choice]

    @property
    def linked(self) -> Choice | None:
        """Asking about routed spans and nothing else, the better way."""
        ways = [row for row in self.rows if row.point.route in (Route.REPLACE, Route.POOL)]
        return ways[-1] if ways else None

    @property
    def read(self) -> list[Choice]:
        return [row for row in self.rows if row.point.route is Route.BOTH]

    @property
    def best_read(self) -> Choice | None:
        """Of those beyond chance the one that finds most; None where reading adds nothing sure."""
        gaining = [row for row in self.read if row.point.low > 0]
        return max(gaining, key=lambda row: row.point.scores.f1, default=None)

    @property
    def was_swept(self) -> bool:
        return any(row.point.sentences for row in self.rows)


def choices(project: Project) -> Choices | None:
    """None where the calibration has not judged any yet."""
    threshold = project.threshold()
    if threshold is None or threshold.frontier is None:
        return None
    found = schema.Frontier.from_json(threshold.frontier)
    question = of_one(asked_by(project).answered())
    sentence = of_one(swept_by(project).answered())
    times = PER / found.documents
    rows = [
        Choice(
            number,
            point,
            asking=question * (point.questions * times),
            reading=sentence * (point.sentences * times),
        )
        for number, point in enumerate(found.points, 1)
    ]
    return Choices(found.documents, found.gold, rows)

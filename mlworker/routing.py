"""Which spans are mentions, and which others are worth a question.

Nothing here sees gold: what a person or the LLM is asked depends on the model alone. (Choosing
missed mentions by looking at gold lifts a score by tens of points and means nothing.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlworker.schema import Method
from mlworker.uncertainty import Floats

MASS_FLOOR = 0.01
"""A span with less entity mass 1 - p(O) is forgotten."""
CANDIDATE_FLOOR = 0.05
"""A span with less is no candidate: it counts only where an LLM finds it too."""


@dataclass(frozen=True)
class Spans:
    """A sentence's spans that have any entity mass to speak of.

    *Shapes:* first, last (n,), word indices, both inclusive; probabilities (n, C), class 0 = O;
    uncertainty (n,) for each method that probabilities alone do not give; vectors (n, D), each of
    length 1, where they are to be compared with the memory of a version.
    """

    first: NDArray[np.integer]
    last: NDArray[np.integer]
    probabilities: Floats
    uncertainty: dict[Method, Floats] = field(default_factory=dict)
    vectors: Floats | None = None

    @property
    def mass(self) -> Floats:
        """1 - p(O). *Shape:* (n,)."""
        mass: Floats = 1 - self.probabilities[:, 0]
        return mass


def mentions(spans: Spans) -> list[int]:
    """The spans predicted as mentions: no two overlap, the more probable one wins."""
    best = spans.probabilities.argmax(axis=1)
    found = np.flatnonzero(best)
    return _without_overlap(spans, found, spans.probabilities[found, best[found]], [])


def candidates(
    sentences: Sequence[Spans],
    taken: Sequence[Sequence[int]],
    per_100: float,
    floor: float = 0.0,
) -> list[list[int]]:
    """For each sentence the spans called "no entity" but not surely, `per_100` sentences a few.

    `taken` are the mentions chosen in each sentence. Of entity mass `floor` or more, ranked by it
    over all sentences at once; one per group of overlapping spans, none that overlaps a mention.
    The budget is rounded up, so that a lone sentence is looked at too.
    """
    most = math.ceil(len(sentences) * per_100 / 100)
    if most <= 0:
        return [[] for _ in sentences]
    ranked: list[tuple[float, int, int]] = []
    lowest = max(floor, CANDIDATE_FLOOR)
    for number, (spans, used) in enumerate(zip(sentences, taken, strict=True)):
        mass = spans.mass
        unsure = (spans.probabilities.argmax(axis=1) == 0) & (mass >= lowest)
        open_spans = np.flatnonzero(unsure)
        if len(open_spans):
            free = _without_overlap(spans, open_spans, mass[open_spans], used)
            ranked += [(-float(mass[i]), number, i) for i in free]
    chosen: list[list[int]] = [[] for _ in sentences]
    for _, number, i in sorted(ranked)[:most]:
        chosen[number].append(i)
    return chosen


def missed(spans: Spans, taken: Sequence[int]) -> float:
    """How many mentions are expected beside those `taken`: the entity mass of all spans that
    overlap none of them."""
    used: set[int] = set()
    for i in taken:
        used.update(_words(spans, i))
    free = [i for i in range(len(spans.first)) if used.isdisjoint(_words(spans, i))]
    return float(spans.mass[free].sum())


def _without_overlap(
    spans: Spans, indices: NDArray[np.integer], scores: Floats, taken: Iterable[int]
) -> list[int]:
    """Of `indices`, greedily the best by `scores` that overlap neither each other nor `taken`."""
    used: set[int] = set()
    for i in taken:
        used.update(_words(spans, i))
    kept = []
    # Ties go to the earlier, then the shorter span: the order in which spans are listed.
    for i in map(int, indices[np.argsort(-scores, kind="stable")]):
        words = _words(spans, i)
        if used.isdisjoint(words):
            used.update(words)
            kept.append(i)
    return kept


def _words(spans: Spans, i: int) -> range:
    return range(int(spans.first[i]), int(spans.last[i]) + 1)

"""What each way of using the LLM would find, and what it would ask, judged on checked documents.

τ and the weights of pooling are learned on one half of the documents and judged on the other, and
the other way round, so every document counts once and none is judged by what it taught. Nothing
that is asked or read depends on gold.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlworker import fusion, pooling
from mlworker.calibration import calibrate
from mlworker.fusion import Rules
from mlworker.schema import (
    NO_ENTITY,
    Audited,
    Calibration,
    CandidateOutcome,
    Frontier,
    HeldOut,
    Lane,
    Mention,
    Point,
    Route,
    Scores,
)
from mlworker.uncertainty import Floats

MOST = 2000
"""Documents that are looked at: with more, the figures hardly change, and it would take minutes."""
RESAMPLES = 500
ALL = 100.0
"""Percent of the sentences."""

Counts = NDArray[np.integer]
"""Right, found and gold mentions of each document. *Shape:* (n, 3)."""


@dataclass(frozen=True)
class Judged:
    """What a route found in each document, and how much it asked about all of them."""

    route: Route
    counts: Counts
    questions: int = 0
    share: float = 0.0
    sentences: int = 0


def measure(
    documents: Sequence[Audited], labels: Sequence[str], shares: Sequence[float]
) -> Frontier | None:
    """A point for each route that these documents can tell of, where so many percent of the
    sentences were read; None where the LLM neither was asked about them nor has read them."""
    asks = any(span.answer is not None for d in documents for span in d.evidence)
    if not documents or not (asks or shares):
        return None
    documents = _drawn(documents)
    judged = [Judged(Route.LOCAL, np.array([_count(_local(d), d) for d in documents]))]
    if asks:
        judged += _linked(documents, labels)
    baseline = judged[-1]
    if ALL in shares:
        found = np.array([_count(_named(d), d) for d in documents])
        judged.append(Judged(Route.SWEEP, found, share=ALL, sentences=_read(documents, ALL)))
    for share in shares:
        judged += _both(documents, labels, share)
    gold = int(baseline.counts[:, 2].sum())
    return Frontier(len(documents), gold, [_point(j, baseline) for j in judged])


def _drawn(documents: Sequence[Audited]) -> Sequence[Audited]:
    if len(documents) <= MOST:
        return documents
    return random.Random(0).sample(documents, MOST)  # noqa: S311 (no secret hangs on it)


def _linked(documents: Sequence[Audited], labels: Sequence[str]) -> Iterator[Judged]:
    """By the paper's rule, and weighed where there is enough to learn weights from."""
    known, rules, asked = _ruled(documents, labels, 0)
    yield Judged(Route.REPLACE, counts(known, [replace(r, pool=None) for r in rules]), asked)
    if all(r.pool is not None for r in rules):
        yield Judged(Route.POOL, counts(known, rules), asked)


def _both(documents: Sequence[Audited], labels: Sequence[str], share: float) -> Iterator[Judged]:
    """Weighed, for only so does what was read count; nothing where there is too little to learn."""
    known, rules, asked = _ruled(documents, labels, share)
    if all(r.pool is not None for r in rules):
        yield Judged(Route.BOTH, counts(known, rules), asked, share, _read(documents, share))


def _ruled(
    documents: Sequence[Audited], labels: Sequence[str], share: float
) -> tuple[list[Audited], list[Rules], int]:
    """What is known with so many percent read, by which rules, and how many questions these ask."""
    known = [as_read(document, share) for document in documents]
    rules = crossed(known, labels)
    return known, rules, sum(_asked(d, r) for d, r in zip(known, rules, strict=True))


# --- Learning on one half, judging on the other ------------------------------------------------
def crossed(documents: Sequence[Audited], labels: Sequence[str], seed: int = 0) -> list[Rules]:
    """For each document the rules that a random half without it teaches."""
    order = list(range(len(documents)))
    random.Random(seed).shuffle(order)  # noqa: S311 (no secret hangs on it)
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    rules: dict[int, Rules] = {}
    for learned, judged in (halves, halves[::-1]):
        teach = [documents[i] for i in learned]
        chosen = tau(teach)
        taught = Rules(chosen, asks=True, pool=pooling.learn(teach, labels, chosen))
        rules |= dict.fromkeys(judged, taught)
    return [rules[i] for i in range(len(documents))]


def tau(documents: Sequence[Audited]) -> float:
    """The one that these documents' spans say."""
    return calibrated(documents).tau


def calibrated(documents: Sequence[Audited]) -> Calibration:
    """τ and its evidence, as these documents' spans say."""
    return calibrate([o for d in documents for o in _outcomes(d)], _candidates(documents))


def _outcomes(document: Audited) -> Iterator[HeldOut]:
    for span in document.evidence:
        if span.lane is Lane.MENTION:
            right = document.right(span)
            said = None if span.answer is None else span.answer == right
            yield HeldOut(span.uncertainty, span.label == right, said)


def _candidates(documents: Sequence[Audited]) -> list[CandidateOutcome]:
    return [
        CandidateOutcome(1 - span.probabilities[NO_ENTITY], document.right(span) != NO_ENTITY)
        for document in documents
        for span in document.evidence
        if span.lane is Lane.CANDIDATE
    ]


# --- What is known, found and asked ------------------------------------------------------------
def as_read(document: Audited, share: float) -> Audited:
    """What is known of it where only so many percent of the sentences were read."""
    read = [turn for turn in document.read if turn.share <= share]
    evidence = []
    for span in document.evidence:
        if any(turn.start <= span.start and span.end <= turn.end for turn in read):
            evidence.append(span)
        elif span.lane is not Lane.PROPOSAL:
            evidence.append(replace(span, found=None))
    return Audited(evidence, document.gold, read)


def counts(documents: Sequence[Audited], rules: Sequence[Rules]) -> Counts:
    """What fusing each document by its rules finds."""
    found = (fusion.mentions(d.evidence, r) for d, r in zip(documents, rules, strict=True))
    return np.array([_count(f, d) for f, d in zip(found, documents, strict=True)])


def f1(found: Counts) -> float:
    """In percent."""
    return _scores(found).f1


def _count(found: Iterable[Mention], document: Audited) -> tuple[int, int, int]:
    named, gold = set(found), set(document.gold)
    return len(named & gold), len(named), len(gold)


def _local(document: Audited) -> Iterator[Mention]:
    for span in document.evidence:
        if span.lane is Lane.MENTION:
            yield Mention(span.start, span.end, span.label)


def _named(document: Audited) -> Iterator[Mention]:
    """What the LLM named when it read the sentences."""
    for span in document.evidence:
        if span.found not in (None, NO_ENTITY):
            yield Mention(span.start, span.end, span.found)


def _asked(document: Audited, rules: Rules) -> int:
    return sum(
        span.answer is not None and fusion.is_routed(span, rules.tau) for span in document.evidence
    )


def _read(documents: Sequence[Audited], share: float) -> int:
    return sum(turn.share <= share for d in documents for turn in d.read)


# --- Scores and their leads --------------------------------------------------------------------
def _point(judged: Judged, baseline: Judged) -> Point:
    low, high = _resampled(judged.counts, baseline.counts)
    scores = _scores(judged.counts)
    return Point(
        route=judged.route,
        share=judged.share,
        scores=scores,
        questions=judged.questions,
        sentences=judged.sentences,
        lead=round(scores.f1 - f1(baseline.counts), 2),
        low=low,
        high=high,
    )


def _scores(found: Counts) -> Scores:
    right, named, gold = (int(number) for number in found.sum(axis=0))
    return Scores.of(right, named, gold)


def _resampled(found: Counts, baseline: Counts) -> tuple[float, float]:
    """Where the lead in F1 lies in the middle 95 % of resamples of the documents."""
    n = len(found)
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    leads = _f1_of(draws @ found) - _f1_of(draws @ baseline)
    low, high = np.quantile(leads, (0.025, 0.975))
    return round(float(low), 2), round(float(high), 2)


def _f1_of(sums: Counts) -> Floats:
    """Percent; 0 where nothing is right. *Shapes:* (m, 3) → (m,)."""
    right, named, gold = sums.T
    return np.asarray(200 * right / np.maximum(named + gold, 1), float)

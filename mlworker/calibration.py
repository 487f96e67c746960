"""The threshold τ from held-out spans, as in LinkNER §5.3 (Fig. 5).

Held-out spans are put into intervals of their uncertainty. The local model's accuracy falls from
one to the next, the LLM's hardly does; τ is where the two curves cross.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlworker.schema import Calibration, CandidateOutcome, HeldOut, Interval
from mlworker.uncertainty import Floats

Indices = NDArray[np.integer]

TENTHS = [k / 10 for k in range(11)]
THIN = 10
"""An interval with fewer spans to compare is joined to the next one."""

MIN_SPANS = 30
"""With fewer held-out spans, no curve means anything."""

DEFAULT_TAU = 0.3
"""The threshold where there is too little to go by: in WNUT'17 half of what exceeds it is wrong."""

RESAMPLES = 200
TINY = 1e-9
"""Sums that differ by less are equal: they were added in another order."""

ROLLING = 20
LEAST_ACCEPTED = 0.25
"""Candidates are asked about while a quarter of the last `ROLLING` were mentions: in WNUT'17, where
that ends, a question finds as much as one about a predicted mention does."""

REFERENCE_ACCURACY = 0.9
"""What a person or LLM whose answers are not known yet is taken to get right."""


def calibrate(
    outcomes: Sequence[HeldOut], candidates: Sequence[CandidateOutcome] = ()
) -> Calibration:
    """τ and its evidence. Spans above τ are better decided by the LLM, the others locally.

    Where the curves cross more than once, that crossing counts which leaves most held-out spans
    with the right label. Before the LLM has answered, a flat accuracy of `REFERENCE_ACCURACY`
    stands in for it. `candidates` tell from which entity mass on asking about them pays.
    """
    floor = candidate_floor(candidates)
    asked = [o for o in outcomes if o.llm_correct is not None]
    compared = asked if len(asked) >= MIN_SPANS else list(outcomes)
    if len(compared) < MIN_SPANS:
        note = f"Only {len(compared)} held-out spans, at least {MIN_SPANS} are needed: default τ."
        intervals = _intervals(outcomes, _bounds([]))
        return Calibration(DEFAULT_TAU, intervals, note, candidate_floor=floor)
    bounds, known = _bounds(compared), compared is asked
    lows = bounds[:-1]
    above = np.array([bisect_left(lows, o.uncertainty) for o in compared])
    gains = np.array([_gain(o, known=known) for o in compared])
    tau = _crossing(lows, above, gains)
    low, high = _bootstrap(lows, above, gains)
    note = _note(tau, compared, known)
    return Calibration(tau, _intervals(outcomes, bounds), note, low, high, floor, known)


def candidate_floor(candidates: Sequence[CandidateOutcome]) -> float:
    """The entity mass below which too few candidates are mentions to be worth a question.

    Ranked by mass, it is where fewer than `LEAST_ACCEPTED` of the last `ROLLING` are; 0 where
    that never happens, or there are not as many.
    """
    ranked = sorted(candidates, key=lambda c: -c.mass)
    for end in range(ROLLING, len(ranked) + 1):
        if sum(c.is_mention for c in ranked[end - ROLLING : end]) < LEAST_ACCEPTED * ROLLING:
            return ranked[end - 1].mass
    return 0.0


def tau_for_budget(uncertainties: Sequence[float], most: int) -> float:
    """The smallest τ that routes at most `most` of the spans: as many as have u > τ.

    Spans of the same uncertainty are routed all or none.
    """
    ranked = sorted(uncertainties, reverse=True)
    return ranked[most] if most < len(ranked) else 0.0


def _bounds(compared: Sequence[HeldOut]) -> list[float]:
    """0 … 1 in tenths, without those that would leave a thin interval."""
    bounds, held = [0.0], 0
    for tenth, spans in zip(TENTHS[1:], _by_interval(compared, TENTHS), strict=True):
        held += len(spans)
        if held >= THIN:
            bounds.append(tenth)
            held = 0
    # What is left over at the upper end belongs to the last interval.
    return [*bounds[:-1], 1.0] if len(bounds) > 1 else [0.0, 1.0]


def _by_interval(outcomes: Sequence[HeldOut], bounds: Sequence[float]) -> list[list[HeldOut]]:
    """The spans with low < u ≤ high for each two neighbours of `bounds`; u = 0 is in the first."""
    out: list[list[HeldOut]] = [[] for _ in bounds[1:]]
    for outcome in outcomes:
        out[max(bisect_left(bounds, outcome.uncertainty) - 1, 0)].append(outcome)
    return out


def _crossing(lows: Sequence[float], above: Indices, gains: Floats) -> float:
    """The interval bound above which asking gains most; 1 where it never gains.

    `above` says of each span how many of `lows` are below its uncertainty. *Shapes:* (n,).
    """
    best, gained = 1.0, 0.0
    by_interval = np.bincount(above, gains, minlength=len(lows) + 1)
    total = 0.0
    # From above, so that of equal gains the one with fewest questions stays.
    for number in range(len(lows), 0, -1):
        total += float(by_interval[number])
        if total > gained + TINY:
            best, gained = lows[number - 1], total
    return best


def _bootstrap(lows: Sequence[float], above: Indices, gains: Floats) -> tuple[float, float]:
    """Bounds of the middle 95 % of τ in `RESAMPLES` resamples of the spans."""
    draws = np.random.default_rng(0).integers(len(gains), size=(RESAMPLES, len(gains)))
    taus = [_crossing(lows, above[drawn], gains[drawn]) for drawn in draws]
    low, high = np.quantile(taus, (0.025, 0.975), method="nearest")
    return float(low), float(high)


def _gain(outcome: HeldOut, *, known: bool) -> float:
    right = float(bool(outcome.llm_correct)) if known else REFERENCE_ACCURACY
    return right - outcome.local_correct


def _intervals(outcomes: Sequence[HeldOut], bounds: Sequence[float]) -> list[Interval]:
    out = []
    for (low, high), inside in zip(pairwise(bounds), _by_interval(outcomes, bounds), strict=True):
        asked = [o.llm_correct for o in inside if o.llm_correct is not None]
        local = _share(o.local_correct for o in inside)
        out.append(Interval(low, high, len(inside), local, len(asked), _share(asked)))
    return out


def _share(correct: Iterable[bool]) -> float | None:
    found = list(correct)
    return round(sum(found) / len(found), 4) if found else None


def _note(tau: float, compared: Sequence[HeldOut], known: bool) -> str:
    who = (
        "the LLM" if known else f"a flat accuracy of {REFERENCE_ACCURACY:.0%} (too few LLM answers)"
    )
    basis = f"{len(compared)} held-out spans, local model against {who}"
    if tau >= 1:
        return f"From {basis}: asking never gains, so nothing is routed."
    if tau <= 0:
        return f"From {basis}: asking gains at every uncertainty, so every span is routed."
    return f"From {basis}: asking gains above u = {tau:g}."

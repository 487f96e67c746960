"""The threshold τ from held-out spans, as in LinkNER §5.3 (Fig. 5).

Held-out spans are put into intervals of their uncertainty. The local model's accuracy falls from
one to the next, the LLM's hardly does; τ is where the two curves cross.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from mlworker.schema import Calibration, HeldOut, Interval

TENTHS = [k / 10 for k in range(11)]
THIN = 10
"""An interval with fewer spans to compare is joined to the next one."""

MIN_SPANS = 30
"""With fewer held-out spans, no curve means anything."""

DEFAULT_TAU = 0.3
"""The threshold where there is too little to go by: in WNUT'17 half of what exceeds it is wrong."""

REFERENCE_ACCURACY = 0.9
"""What a person or LLM whose answers are not known yet is taken to get right."""


def calibrate(outcomes: Sequence[HeldOut]) -> Calibration:
    """τ and its evidence. Spans above τ are better decided by the LLM, the others locally.

    Where the curves cross more than once, that crossing counts which leaves most held-out spans
    with the right label. Before the LLM has answered, a flat accuracy of `REFERENCE_ACCURACY`
    stands in for it.
    """
    asked = [o for o in outcomes if o.llm_correct is not None]
    compared = asked if len(asked) >= MIN_SPANS else list(outcomes)
    if len(compared) < MIN_SPANS:
        note = f"Only {len(compared)} held-out spans, at least {MIN_SPANS} are needed"
        return Calibration(DEFAULT_TAU, _intervals(outcomes, _bounds([])), f"{note}: default τ.")
    bounds = _bounds(compared)
    tau = _crossing(compared, bounds[:-1], known=compared is asked)
    return Calibration(tau, _intervals(outcomes, bounds), _note(tau, compared, compared is asked))


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


def _crossing(compared: Sequence[HeldOut], lows: Sequence[float], *, known: bool) -> float:
    """The interval bound above which asking gains most; 1 where it never gains."""
    best, gained = 1.0, 0.0
    # From above, so that of equal gains the one with fewest questions stays.
    for low in reversed(lows):
        gain = math.fsum(_gain(o, known=known) for o in compared if o.uncertainty > low)
        if gain > gained:
            best, gained = low, gain
    return best


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
    who = "the LLM" if known else f"a flat accuracy of {REFERENCE_ACCURACY:.0%} (no LLM answers)"
    basis = f"{len(compared)} held-out spans, local model against {who}"
    if tau >= 1:
        return f"From {basis}: asking never gains, so nothing is routed."
    if tau <= 0:
        return f"From {basis}: asking gains at every uncertainty, so every span is routed."
    return f"From {basis}: asking gains above u = {tau:g}."

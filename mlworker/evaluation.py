"""How good a model version's mentions and uncertainties are, against gold of which nothing is
left out: a mention too long or out of step with the words counts as missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlworker.schema import HeldOut, Lane, Method, ScoredSpan, Scores, TaggedText, Text
from mlworker.uncertainty import METHODS, Floats

BINS = 10


@dataclass(frozen=True)
class UncertaintyQuality:
    """How well a method tells right predictions from wrong ones; None where all are of a kind.

    `auroc`: chance that a wrong predicted mention is less sure than a right one. `ece`: expected
    calibration error, mean |accuracy - (1 - u)| over ten bins of u. `share_routed`: u > τ.
    """

    auroc: float | None
    ece: float | None
    share_routed: float | None


def scores(tagged: Sequence[TaggedText], texts: Sequence[Text]) -> Scores:
    """Exact-match micro scores of the predicted mentions of `texts`, in their order."""
    predicted = {
        (text.id, span.start, span.end, span.label) for text in tagged for span in _mentions(text)
    }
    gold = {(text.id, m.start, m.end, m.label) for text in texts for m in text.mentions}
    return Scores.count(predicted, gold)


def outcomes(tagged: Sequence[TaggedText], texts: Sequence[Text], method: Method) -> list[HeldOut]:
    """Uncertainty by `method` of each predicted mention, and whether gold has it so."""
    classes = METHODS[method]
    out = []
    for answer, text in zip(tagged, texts, strict=True):
        gold = {(m.start, m.end, m.label) for m in text.mentions}
        for span in _mentions(answer):
            u = float(classes(np.array([list(span.probabilities.values())]))[0])
            out.append(HeldOut(u, (span.start, span.end, span.label) in gold))
    return out


def uncertainty_quality(held_out: Sequence[HeldOut], tau: float) -> UncertaintyQuality:
    u = np.array([o.uncertainty for o in held_out], dtype=np.float64)
    correct = np.array([o.local_correct for o in held_out], dtype=bool)
    routed = round(float((u > tau).mean()), 4) if len(u) else None
    return UncertaintyQuality(_auroc(u[~correct], u[correct]), _ece(u, correct), routed)


def _mentions(text: TaggedText) -> list[ScoredSpan]:
    return [span for span in text.spans if span.lane is Lane.MENTION]


def _auroc(wrong: Floats, right: Floats) -> float | None:
    """P(u of a wrong one > u of a right one), ties counting half (Mann-Whitney)."""
    if not len(wrong) or not len(right):
        return None
    ordered = np.sort(right)
    below = np.searchsorted(ordered, wrong, side="left")
    up_to = np.searchsorted(ordered, wrong, side="right")
    return round(float((below + up_to).sum()) / 2 / len(wrong) / len(right), 4)


def _ece(u: Floats, correct: np.typing.NDArray[np.bool_]) -> float | None:
    if not len(u):
        return None
    bins = np.minimum((u * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    gaps = np.bincount(bins, weights=correct - (1 - u), minlength=BINS)
    return round(float(np.abs(gaps).sum() / counts.sum()), 4)

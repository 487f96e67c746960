"""How good a model version's mentions and uncertainties are, against gold of which nothing is
left out: a mention too long or out of step with the words counts as missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlworker.reading import Reading
from mlworker.schema import (
    NO_ENTITY,
    CandidateOutcome,
    HeldOut,
    Lane,
    Method,
    ScoredSpan,
    Scores,
    TaggedText,
    Text,
)
from mlworker.uncertainty import Floats

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
        (text.id, span.start, span.end, span.label)
        for text in tagged
        for span in _in_lane(text, Lane.MENTION)
    }
    gold = {(text.id, m.start, m.end, m.label) for text in texts for m in text.mentions}
    return Scores.count(predicted, gold)


def outcomes(tagged: Sequence[TaggedText], texts: Sequence[Text]) -> list[HeldOut]:
    """How unsure each predicted mention is, and whether gold has it so."""
    out: list[HeldOut] = []
    for answer, text in zip(tagged, texts, strict=True):
        gold = {(m.start, m.end, m.label) for m in text.mentions}
        out += [
            HeldOut(span.uncertainty, (span.start, span.end, span.label) in gold)
            for span in _in_lane(answer, Lane.MENTION)
        ]
    return out


def candidate_outcomes(
    tagged: Sequence[TaggedText], texts: Sequence[Text]
) -> list[CandidateOutcome]:
    """The entity mass of each candidate, and whether gold has a mention just there."""
    out = []
    for answer, text in zip(tagged, texts, strict=True):
        gold = {(m.start, m.end) for m in text.mentions}
        for span in _in_lane(answer, Lane.CANDIDATE):
            mass = 1 - span.probabilities[NO_ENTITY]
            out.append(CandidateOutcome(mass, (span.start, span.end) in gold))
    return out


def predicted(reading: Reading) -> tuple[Floats, NDArray[np.integer]]:
    """Probabilities of the spans that are more probably a mention than not, and their gold class.

    *Shapes:* (n, C) and (n,). Overlapping spans count each for itself.
    """
    numbers = {label: number for number, label in enumerate(reading.classes)}
    rows: list[Floats] = [np.zeros((0, len(reading.classes)))]
    classes: list[int] = []
    spans = iter(reading.spans)
    for text, cut in zip(reading.texts, reading.sentences, strict=True):
        gold = {(m.start, m.end): numbers[m.label] for m in text.mentions}
        for sentence, found in zip(cut, spans, strict=False):
            likely = np.flatnonzero(found.probabilities.argmax(axis=1))
            rows.append(found.probabilities[likely])
            for i in likely:
                begin, _ = sentence.offsets[found.first[i]]
                _, end = sentence.offsets[found.last[i]]
                classes.append(gold.get((begin, end), 0))
    return np.concatenate(rows), np.array(classes, dtype=int)


def uncertainty_quality(held_out: Sequence[HeldOut], tau: float) -> UncertaintyQuality:
    u = np.array([o.uncertainty for o in held_out], dtype=np.float64)
    correct = np.array([o.local_correct for o in held_out], dtype=bool)
    routed = round(float((u > tau).mean()), 4) if len(u) else None
    return UncertaintyQuality(_auroc(u[~correct], u[correct]), _ece(u, correct), routed)


def by_method(reading: Reading, taus: Mapping[Method, float]) -> dict[Method, UncertaintyQuality]:
    """The quality of each method of `taus` on the gold of the texts that were read."""
    return {
        method: uncertainty_quality(outcomes(reading.tagged(method, 0), reading.texts), tau)
        for method, tau in taus.items()
    }


def _in_lane(text: TaggedText, lane: Lane) -> list[ScoredSpan]:
    return [span for span in text.spans if span.lane is lane]


def _auroc(wrong: Floats, right: Floats) -> float | None:
    """P(u of a wrong one > u of a right one), ties counting half (Mann-Whitney)."""
    if not len(wrong) or not len(right):
        return None
    ordered = np.sort(right)
    below = np.searchsorted(ordered, wrong, side="left")
    up_to = np.searchsorted(ordered, wrong, side="right")
    return round(float((below + up_to).sum()) / 2 / len(wrong) / len(right), 4)


def _ece(u: Floats, correct: NDArray[np.bool_]) -> float | None:
    if not len(u):
        return None
    bins = np.minimum((u * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    gaps = np.bincount(bins, weights=correct - (1 - u), minlength=BINS)
    return round(float(np.abs(gaps).sum() / counts.sum()), 4)

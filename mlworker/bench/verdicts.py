"""What the figures say, in sentences: also where something does not help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlworker.bench.accuracy import Measured, Variant
from mlworker.schema import Head, Method

PLAIN = Variant(Head.SOFTMAX)


def verdicts(measured: Sequence[Measured]) -> Iterator[str]:
    """A sentence for each comparison that the measured variants allow."""
    plain = {found.cell: found for found in measured if found.trained.variant == PLAIN}
    for found in measured:
        beside = plain.get(found.cell)
        if beside is None or found.trained.variant == PLAIN:
            continue
        yield _f1(found, beside)
        evidential = found.trained.variant.head is Head.EVIDENTIAL
        if evidential and (said := _detection(found, beside)):
            yield said
    for found in measured:
        yield from _temperature(found)


def _f1(found: Measured, beside: Measured) -> str:
    gain = found.scores.f1 - beside.scores.f1
    verdict = "helps" if gain > 0 else "does not help"
    if found.trained.variant.head is Head.EVIDENTIAL:
        verdict = "is within 1" if gain >= -1 else "is more than 1 below"
    return f"{_named(found)}: {found.scores.f1:.2f} F1, {gain:+.2f} on SpanNER: {verdict}."


def _detection(found: Measured, beside: Measured) -> str | None:
    ours = found.quality[Method.EVIDENTIAL].auroc
    theirs = beside.quality[Method.LEAST_CONFIDENCE].auroc
    if ours is None or theirs is None:
        return None
    verdict = "the better" if ours > theirs else "not the better"
    return (
        f"{_named(found)}: evidential uncertainty finds errors with an AUROC of {ours:.3f}, "
        f"SpanNER's least confidence with {theirs:.3f}: {verdict} error detector."
    )


def _temperature(found: Measured) -> Iterator[str]:
    method = found.trained.variant.method
    if method not in found.untempered:
        return
    before, after = found.untempered[method].ece, found.quality[method].ece
    if before is not None and after is not None:
        verdict = "helps" if after < before else "does not help"
        yield f"{_named(found)}: temperature takes ECE from {before:.3f} to {after:.3f}: {verdict}."


def _named(found: Measured) -> str:
    return f"{' '.join(found.cell)}, {found.trained.variant.name}"

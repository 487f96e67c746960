"""Whether the local model is as often right as it is sure: held-out gold against what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Floor

from .bought import Share
from .models import Mention, Prediction, Project

ENOUGH = 50
"""Fewer checked spans than this say nothing yet."""
TENTHS = 10
BINS = 20


@dataclass(frozen=True)
class Doubt:
    """How many predicted mentions have low ≤ u < high (the last bin: ≤), `routed` of them by τ."""

    low: float
    high: float
    count: int = 0
    routed: int = 0


def doubts(project: Project, tau: float) -> list[Doubt]:
    """What the serving version predicts by the project's method, by uncertainty, in one query.
    Candidates, which are routed whatever τ is, are not among it."""
    mentions = Prediction.objects.serving(project).filter(lane=Prediction.Lane.MENTION)
    rows = (
        mentions.order_by()
        .values_list(Floor(F("uncertainty") * BINS))
        .annotate(n=Count("pk"), above=Count("pk", Q(uncertainty__gt=tau)))
    )
    counts, above = [0] * BINS, [0] * BINS
    for number, n, routed in rows:
        at = min(int(number), BINS - 1)
        counts[at] += n
        above[at] += routed
    return [Doubt(n / BINS, (n + 1) / BINS, counts[n], above[n]) for n in range(BINS)]


@dataclass(frozen=True)
class Outcome:
    """A predicted mention of held-out gold. `confidence`: the probability of its label."""

    confidence: float
    uncertainty: float
    is_right: bool


def outcomes(project: Project) -> list[Outcome]:
    """What the serving version says of held-out gold by the project's method, in one query."""
    accepted = Mention.objects.accepted().filter(
        document=OuterRef("tagging__document"),
        start=OuterRef("start"),
        end=OuterRef("end"),
        label=OuterRef("label"),
    )
    rows = (
        Prediction.objects.serving(project)
        .held_out()
        .filter(lane=Prediction.Lane.MENTION)
        .order_by()
        .values_list("probabilities", "label__name", "uncertainty", Exists(accepted))
    )
    return [
        Outcome(probabilities[label], uncertainty, is_right)
        for probabilities, label, uncertainty, is_right in rows
    ]


@dataclass(frozen=True)
class Tenth:
    """Outcomes with low < confidence ≤ high (the first: ≥), their mean, and how many are right."""

    low: float
    high: float
    confidence: float
    right: Share


def tenths(found: Iterable[Outcome]) -> list[Tenth]:
    """By confidence, those in which there is any."""
    parts: list[list[Outcome]] = [[] for _ in range(TENTHS)]
    for outcome in found:
        # Counted from 1 down, as `mlworker.evaluation` counts tenths of uncertainty.
        parts[TENTHS - 1 - min(int((1 - outcome.confidence) * TENTHS), TENTHS - 1)].append(outcome)
    return [
        Tenth(
            n / TENTHS,
            (n + 1) / TENTHS,
            sum(o.confidence for o in part) / len(part),
            Share(sum(o.is_right for o in part), len(part)),
        )
        for n, part in enumerate(parts)
        if part
    ]


def calibration_error(parts: Sequence[Tenth]) -> float:
    """ECE: how far confidence and share of right ones lie apart, weighed by how many there are."""
    total = sum(part.right.n for part in parts)
    apart = (abs(part.right.right - part.right.n * part.confidence) for part in parts)
    return sum(apart) / total if total else 0.0


@dataclass(frozen=True)
class Kept:
    """If what is more unsure than `tau` went elsewhere: `kept` of `total` stay, `wrong` of these
    are wrong."""

    tau: float
    kept: int
    wrong: int
    total: int

    @property
    def coverage(self) -> float:
        return self.kept / self.total

    @property
    def risk(self) -> float:
        return self.wrong / self.kept


def risk_coverage(found: Iterable[Outcome]) -> list[Kept]:
    """For each uncertainty that occurs, from the surest on: equally unsure ones go together."""
    ordered = sorted(found, key=lambda outcome: outcome.uncertainty)
    groups = [(u, list(same)) for u, same in groupby(ordered, key=lambda o: o.uncertainty)]
    kept = accumulate(len(same) for _, same in groups)
    wrong = accumulate(sum(not o.is_right for o in same) for _, same in groups)
    together = zip(groups, kept, wrong, strict=True)
    return [Kept(u, n, errors, len(ordered)) for (u, _), n, errors in together]


def kept_at(curve: Sequence[Kept], tau: float) -> Kept | None:
    """What stays under `tau`; None where nothing does."""
    return next((point for point in reversed(curve) if point.tau <= tau), None)


def thinned(curve: Sequence[Kept], most: int) -> list[Kept]:
    """At most about `most` points of the curve, its ends among them."""
    step = max(1, -(-len(curve) // most))
    return [*curve[:-1:step], *curve[-1:]]

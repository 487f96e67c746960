"""How far a project is, and who works for it: what the pages show in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from .asked import asked_by
from .models import (
    Correction,
    Document,
    Label,
    Mention,
    Prediction,
    Project,
    Question,
    SweptSentence,
    WorkerBeat,
)
from .models.machine import PredictionQuerySet
from .swept import swept_by


@dataclass(frozen=True)
class ProjectFigures:
    documents: int
    gold: int
    to_review: int
    needing_people: int
    """Documents in which at least one mention needs a person."""
    mentions_needing_people: int
    mentions: int
    """Mentions of gold."""
    corrections: int
    """Decisions by people that changed or settled a mention and were not undone, not counting those
    on submit."""
    routed: int
    """Predicted spans of documents under review that τ, or their being candidates, routes."""
    asked: int
    answered: int
    unresolved: int


def project_figures(project: Project) -> ProjectFigures:
    status = Document.Status
    documents = Document.objects.filter(project=project).aggregate(
        documents=Count("pk"),
        gold=Count("pk", Q(status=status.GOLD)),
        to_review=Count("pk", Q(status=status.TAGGED)),
        needing_people=Count("pk", Q(status=status.TAGGED, needs_count__gt=0)),
    )
    mentions = Mention.objects.filter(document__project=project).aggregate(
        mentions=Count("pk", Q(document__status=status.GOLD, state=Mention.State.ACCEPTED)),
        mentions_needing_people=Count("pk", Q(state=Mention.State.SUGGESTED, needs_person=True)),
    )
    questions = asked_by(project).aggregate(
        asked=Count("pk"),
        answered=Count("pk", Q(state=Question.State.ANSWERED)),
        unresolved=Count("pk", Q(state=Question.State.UNRESOLVED)),
    )
    own = Correction.objects.standing().filter(
        document__project=project, evidence=Correction.Evidence.DECISION
    )
    return ProjectFigures(
        **documents,
        **mentions,
        **questions,
        corrections=own.count(),
        routed=routed(project).filter(tagging__document__status=status.TAGGED).count(),
    )


@dataclass(frozen=True)
class SweepFigures:
    """Of the sentences that the project's LLM read whole."""

    read: int
    unresolved: int
    """Given to it without getting a usable answer."""
    proposals: int
    """Mentions that nobody but the LLM found, and nobody has decided about."""


def sweep_figures(project: Project) -> SweepFigures:
    states = SweptSentence.State
    sentences = swept_by(project).aggregate(
        read=Count("pk", Q(state=states.ANSWERED)),
        unresolved=Count("pk", Q(state=states.UNRESOLVED)),
    )
    proposals = Mention.objects.filter(document__project=project, source=Mention.Source.SWEEP)
    return SweepFigures(**sentences, proposals=proposals.undecided().count())


def named(project: Project) -> tuple[int, int]:
    """How many mentions the LLM found as it read, and how many it named that do not stand there
    so."""
    rows = swept_by(project).answered().values_list("found", "ungrounded")
    found = [(len(placed), len(unplaced)) for placed, unplaced in rows.iterator()]
    return sum(placed for placed, _ in found), sum(unplaced for _, unplaced in found)


def labels_counted(project: Project) -> QuerySet[Label]:
    """Its labels, each with how many mentions are `accepted` and `suggested`."""
    accepted = Q(mentions__state=Mention.State.ACCEPTED)
    suggested = Q(mentions__state=Mention.State.SUGGESTED, mentions__maybe=False)
    labels: QuerySet[Label] = project.labels.annotate(
        accepted=Count("mentions", filter=accepted),
        suggested=Count("mentions", filter=suggested),
    )
    return labels


def predicted(project: Project) -> QuerySet[Prediction]:
    """What the serving version says by the project's method."""
    return Prediction.objects.serving(project)


def routed(project: Project) -> PredictionQuerySet:
    """The predictions of the serving version that are routed: u > τ, or candidates."""
    threshold = project.threshold()
    if threshold is None:
        return Prediction.objects.none()
    return Prediction.objects.serving(project).routed(threshold.tau)


def workers_seen() -> dict[str, datetime]:
    """When a worker of each queue last gave a sign of life."""
    return dict(WorkerBeat.objects.values_list("queue", "seen_at"))

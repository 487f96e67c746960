"""The questions whose spans people checked: what was said of them, and what is right."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import (
    Case,
    Count,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from mlworker import schema

from .asked import asked_by
from .bought import Bought, Checked, by_label
from .cost import of_one
from .models import Document, Label, Mention, Prediction, Project, Tagging
from .models.asking import QuestionQuerySet


def documents(project: Project) -> QuerySet[Document]:
    """Gold that was held out, or that a person reviewed."""
    kept = Q(split__in=[Document.Split.DEV, Document.Split.TEST])
    gold = Document.objects.gold().filter(project=project)
    found: QuerySet[Document] = gold.filter(kept | Q(reviewed_at__isnull=False))
    return found


def answers(project: Project) -> list[Checked]:
    """What the LLM that the project asks now said of routed spans, against the version that read
    their document last: it did not learn from it. A row for each different outcome; each question
    counts as what one takes in the mean, because a request holds such about several labels."""
    threshold = project.threshold()
    if threshold is None:
        return []
    rows = (
        _against_predictions(project, threshold.tau)
        .annotate(
            local=Case(
                When(lane=Prediction.Lane.CANDIDATE, then=Value(schema.NO_ENTITY)),
                default=F("predicted"),
            ),
        )
        .values("local", "answer", "truth")
        .annotate(count=Count("pk"))
    )
    micros = of_one(asked_by(project).answered()).micros
    return [
        Checked(row["local"], row["answer"], row["truth"], row["count"], row["count"] * micros)
        for row in rows.order_by()
    ]


def _against_predictions(project: Project, tau: float) -> QuestionQuerySet:
    """Answered questions about routed spans of checked documents with the local model's view and
    what is right."""
    read = Tagging.objects.filter(document=OuterRef("document"), method=project.method)
    newest = read.order_by("-version__number").values("pk")[:1]
    same = {"start": OuterRef("start"), "end": OuterRef("end")}
    said = Prediction.objects.routed(tau).filter(tagging=OuterRef("newest"), **same)
    right = Mention.objects.accepted().filter(document=OuterRef("document"), **same)
    asked: QuestionQuerySet = asked_by(project).answered().filter(document__in=documents(project))
    asked = asked.annotate(newest=Subquery(newest))
    against: QuestionQuerySet = asked.annotate(
        lane=Subquery(said.values("lane")[:1]),
        predicted=Subquery(said.values("label__name")[:1]),
        truth=Coalesce(Subquery(right.values("label__name")[:1]), Value(schema.NO_ENTITY)),
    )
    return against.filter(lane__isnull=False)


@dataclass(frozen=True)
class Row:
    """What the questions about one local label bought; None is that of candidates."""

    label: Label | None
    bought: Bought

    @property
    def may_stop(self) -> bool:
        return self.label is not None and self.label.ask_llm and self.bought.loses


def rows(project: Project) -> list[Row]:
    """By label, those that nothing is known of only where they are left out; candidates last."""
    found = by_label(answers(project))
    named = [
        Row(label, found.get(label.name, Bought()))
        for label in project.labels.all()
        if label.name in found or not label.ask_llm
    ]
    if schema.NO_ENTITY in found:
        named.append(Row(None, found[schema.NO_ENTITY]))
    return named

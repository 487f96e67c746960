"""Finds mentions of a project by what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet
from django.db.models.expressions import OrderBy

from .models import Mention, Project
from .models.documents import MentionQuerySet

Order = tuple[str | OrderBy, ...]
ORDERS: dict[str, tuple[str, Order]] = {
    "unsure": (
        "least sure first",
        (F("prediction__uncertainty").desc(nulls_last=True), "pk"),
    ),
    "sure": ("surest first", (F("prediction__uncertainty").asc(nulls_last=True), "pk")),
    "text": ("as in the texts", ("document", "start", "pk")),
}
"""What each order is called; in all of them no two mentions are level."""
STATES: dict[str, tuple[str, Q]] = {
    "": ("all", Q()),
    "needs": ("need a person", Q(state=Mention.State.SUGGESTED, needs_person=True)),
    "suggested": ("suggested", Q(state=Mention.State.SUGGESTED)),
    "accepted": ("accepted", Q(state=Mention.State.ACCEPTED)),
    "rejected": ("rejected", Q(state=Mention.State.REJECTED)),
}


@dataclass(frozen=True)
class Search:
    """Mentions with this label (its name), from this source, found by the model version of this
    number, as unsure as from `low` to `high` (which leaves out those that no model scored), with
    these words in their own. Empty or None: whichever."""

    label: str = ""
    source: str = ""
    version: int | None = None
    low: float | None = None
    high: float | None = None
    words: str = ""


def found(project: Project, search: Search) -> MentionQuerySet:
    """In whatever state."""
    wanted = {
        "label__name": search.label or None,
        "source": search.source or None,
        "prediction__tagging__version__number": search.version,
        "prediction__uncertainty__gte": search.low,
        "prediction__uncertainty__lte": search.high,
        "form__icontains": search.words or None,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    rows: MentionQuerySet = Mention.objects.filter(document__project=project, **given)
    return rows.order_by()


def counts(rows: MentionQuerySet) -> dict[str, int]:
    """How many of `rows` are in each of `STATES`. One query."""
    numbers = {name or "all": Count("pk", filter=which) for name, (_, which) in STATES.items()}
    counted = rows.aggregate(**numbers)
    return {name: counted[name or "all"] for name in STATES}


def in_order(rows: MentionQuerySet, state: str, order: str) -> QuerySet[Mention]:
    """Those of `rows` in `state`, a key of `STATES`, in `order`, a key of `ORDERS`."""
    return rows.filter(STATES[state][1]).order_by(*ORDERS[order][1])

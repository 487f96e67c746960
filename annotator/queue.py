"""Which document a person reviews next, and that nobody else gets the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Count, F, Q

from mlworker.schema import NO_ENTITY

from . import leases
from .models import Document, Mention, Prediction, Project, Question, User
from .models.documents import DocumentQuerySet

ATTEMPTS = 20
"""How often somebody else may be quicker before a person is told that nothing is left."""


class Order(StrEnum):
    EXPECTED = "expected"
    """Where most is likely to be wrong first."""
    SEQUENTIAL = "sequential"
    RANDOM = "random"
    """By a hash of the text, whatever the machine is sure of: an audit."""
    DISAGREEMENT = "disagreement"
    """Where local model and LLM say something else about most spans first."""

    @property
    def heading(self) -> str:
        return HEADINGS[self]


HEADINGS = {
    Order.EXPECTED: "Most doubtful first",
    Order.SEQUENTIAL: "As they came in",
    Order.RANDOM: "At random, to audit",
    Order.DISAGREEMENT: "Model and LLM disagree",
}


@dataclass(frozen=True)
class Wish:
    """What a person wants next. `words` must all be in the text; `all` documents, or those in
    which a person is needed only; `leaving` is the document that they leave, `skipped` are those
    that they put off, that one too if so, the latest last (ids): they come when there is no
    other."""

    order: Order = Order.EXPECTED
    words: tuple[str, ...] = ()
    all: bool = False
    leaving: int | None = None
    skipped: tuple[int, ...] = ()

    @property
    def is_chosen(self) -> bool:
        """Whether it is another than everybody has to begin with."""
        return self.order != Order.EXPECTED or bool(self.words)

    @property
    def asks_all(self) -> bool:
        """Reading in sequence, auditing and searching are not about what the machine doubts."""
        return self.all or bool(self.words) or self.order in (Order.SEQUENTIAL, Order.RANDOM)


def next_document(project: Project, after: Document | None = None) -> Document | None:
    """The document to review after `after`, in the order of the queue; at its end, the first
    again. None where nothing is left. Documents in which nobody is asked come last."""
    documents = _open(project)
    if after is None or after.status == Document.Status.GOLD:  # what is gold has no place any more
        return _first(documents, Order.EXPECTED)
    others = documents.exclude(pk=after.pk)
    return _first(_behind(others, after), Order.EXPECTED) or _first(others, Order.EXPECTED)


def claim_next(project: Project, user: User, wish: Wish) -> Document | None:
    """The next document for `user`, whose it is now for a while; None where nothing is left. Gives
    back the one they leave; whoever has another document open already gets that."""
    for _ in range(ATTEMPTS):
        # Looked for before the transaction, in which SQLite lets nobody else write.
        found = _next(project, user, wish)
        if leases.exchange(wish.leaving, found.pk if found else None, user):
            return found
    return None


def _next(project: Project, user: User, wish: Wish) -> Document | None:
    documents = _wanted(_open(project), wish)
    held = leases.held(project)
    others = {pk for pk, who in held.items() if who != user.pk}
    mine = held.keys() - others - {wish.leaving}
    if mine and wish.leaving not in wish.skipped:
        again: Document | None = documents.filter(pk__in=mine).first()
        if again is not None:
            return again
    documents = documents.exclude(pk__in=others)
    fresh = documents.exclude(pk__in={wish.leaving, *wish.skipped} - {None})
    return _first(fresh, wish.order) or _put_off(documents, wish)


def _put_off(documents: DocumentQuerySet, wish: Wish) -> Document | None:
    """What they skipped first of what is left of it."""
    left = documents.in_bulk(wish.skipped) if wish.skipped else {}
    return next((left[pk] for pk in wish.skipped if pk in left), None)


def _open(project: Project) -> DocumentQuerySet:
    documents: DocumentQuerySet = Document.objects.filter(project=project).only("project")
    return documents.exclude(status=Document.Status.GOLD)


def _wanted(documents: DocumentQuerySet, wish: Wish) -> DocumentQuerySet:
    if not wish.asks_all:
        documents = documents.filter(Q(needs_count__gt=0) | Q(status=Document.Status.NEW))
    for word in wish.words:
        documents = documents.filter(text__icontains=word)
    return documents


def _behind(documents: DocumentQuerySet, after: Document) -> DocumentQuerySet:
    """Those that come after `after` in the expected order."""
    same = Q(priority=after.priority)
    # Of two that weigh the same, the status decides, then the place.
    behind = Q(priority__lt=after.priority) | same & Q(status__gt=after.status)
    behind |= same & Q(status=after.status, pk__gt=after.pk)
    return documents.filter(behind, priority__lte=after.priority)


# --- Orders -------------------------------------------------------------------------------------
ORDERS = {
    # What no model has read (`new`) goes before what it has read and asks nobody about (`tagged`).
    Order.EXPECTED: ("-priority", "status", "pk"),
    Order.SEQUENTIAL: ("pk",),
    Order.RANDOM: ("sha256", "pk"),
}


def _first(documents: DocumentQuerySet, order: Order) -> Document | None:
    """Where they disagree nowhere any more, the expected one."""
    if order == Order.DISAGREEMENT:
        ranked = _disagreeing(documents).order_by("-count", "document")
        most = ranked.values_list("document", flat=True).first()
        order = Order.EXPECTED
        documents = documents if most is None else documents.filter(pk=most)
    first: Document | None = documents.order_by(*ORDERS[order]).first()
    return first


def _disagreeing(documents: DocumentQuerySet) -> DocumentQuerySet:
    """Rows of `document` and in how many of its open mentions the two say something else."""
    local = F("prediction__label__name")
    mention, candidate = Prediction.Lane.MENTION, Prediction.Lane.CANDIDATE
    said = Q(prediction__lane=mention) & ~Q(question__answer=local)
    said |= Q(prediction__lane=candidate) & ~Q(question__answer=NO_ENTITY)
    rows = Mention.objects.undecided().filter(
        said, document__in=documents, question__state=Question.State.ANSWERED
    )
    counted: DocumentQuerySet = rows.order_by().values("document").annotate(count=Count("pk"))
    return counted

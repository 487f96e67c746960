"""Which document a person reviews next, and that nobody else gets the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Count, F, Q

from mlworker.schema import NO_ENTITY

from . import leases
from .durability import forgettable
from .models import Document, Mention, Prediction, Project, Question, User
from .models.documents import DocumentQuerySet

ORDER = ("-priority", "status", "pk")
"""What no model has read (`new`) goes before what it has read and asks nobody about (`tagged`)."""
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
    which a person is needed only; `after` which document, if any; whether they `skipped` that;
    which they `passed` over before (ids), to come last."""

    order: Order = Order.EXPECTED
    words: tuple[str, ...] = ()
    all: bool = False
    after: Document | None = None
    skipped: bool = False
    passed: frozenset[int] = frozenset()

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
    return next(_ordered(_open(project, after), Wish(all=True, after=after)), None)


def claim_next(project: Project, user: User, wish: Wish) -> Document | None:
    """The next document for `user`, whose it is now for a while; None where nothing is left. Gives
    back `wish.after`, and that again where they skipped it and it is the only one; whoever has another document open already gets that."""
    with forgettable():
        if wish.after is not None:
            leases.release(wish.after.pk, user)
        for _ in range(ATTEMPTS):
            found = _next(project, user, wish)
            if found is None or leases.claim(found.pk, user, unfinished=True):
                return found
    return None


def _next(project: Project, user: User, wish: Wish) -> Document | None:
    """What was passed over comes when nothing else is left, and last of all what is skipped now."""
    others = _open(project, wish.after)
    found = _among(others.exclude(pk__in=wish.passed), project, user, wish)
    if found is None and wish.passed:
        found = _among(others, project, user, wish)
    if found is None and wish.skipped:
        found = _among(_open(project, None), project, user, wish)
    return found


def _among(
    documents: DocumentQuerySet, project: Project, user: User, wish: Wish
) -> Document | None:
    documents = _wanted(documents, wish)
    held = leases.held(project)
    mine = [pk for pk, who in held.items() if who == user.pk]
    if mine and not wish.skipped and (again := documents.filter(pk__in=mine).first()):
        return _of(project, again)
    if others := held.keys() - set(mine):
        documents = documents.exclude(pk__in=others)
    return _of(project, next(_ordered(documents, wish), None))


def _of(project: Project, document: Document | None) -> Document | None:
    """The document with its project at hand."""
    if document is not None:
        document.project = project
    return document


PLACE = ("project", "status", "priority", "sha256")
"""What says where in the queue a document is."""


def _open(project: Project, after: Document | None) -> DocumentQuerySet:
    documents: DocumentQuerySet = Document.objects.filter(project=project).only(*PLACE)
    documents = documents.exclude(status=Document.Status.GOLD)
    return documents.exclude(pk=after.pk) if after else documents


def _wanted(documents: DocumentQuerySet, wish: Wish) -> DocumentQuerySet:
    if not wish.asks_all:
        documents = documents.filter(Q(needs_count__gt=0) | Q(status=Document.Status.NEW))
    for word in wish.words:
        documents = documents.filter(text__icontains=word)
    return documents


# --- Orders -------------------------------------------------------------------------------------
def _ordered(documents: DocumentQuerySet, wish: Wish) -> Iterator[Document]:
    """The first behind `wish.after`, then, at the end, the first of all. A document that became
    gold has lost its place: then the first of all."""
    order = ORDERS[wish.order]
    after = wish.after
    if after is not None and after.status != Document.Status.GOLD:
        found = order(documents, after)
        if found is not None:
            yield found
    found = order(documents, None)
    if found is not None:
        yield found


def _expected(documents: DocumentQuerySet, after: Document | None) -> Document | None:
    if after is not None:
        same = Q(priority=after.priority)
        # Of two that weigh the same, the status decides, then the place.
        behind = Q(priority__lt=after.priority) | same & Q(status__gt=after.status)
        behind |= same & Q(status=after.status, pk__gt=after.pk)
        documents = documents.filter(behind, priority__lte=after.priority)
    best: Document | None = documents.order_by(*ORDER).first()
    return best


def _sequential(documents: DocumentQuerySet, after: Document | None) -> Document | None:
    if after is not None:
        documents = documents.filter(pk__gt=after.pk)
    first: Document | None = documents.order_by("pk").first()
    return first


def _random(documents: DocumentQuerySet, after: Document | None) -> Document | None:
    if after is not None:
        same = Q(sha256=after.sha256, pk__gt=after.pk)
        documents = documents.filter(Q(sha256__gt=after.sha256) | same, sha256__gte=after.sha256)
    first: Document | None = documents.order_by("sha256", "pk").first()
    return first


def _disagreement(documents: DocumentQuerySet, after: Document | None) -> Document | None:
    """Those in which the two disagree, and when there are none left the expected ones."""
    ranked = _disagreeing(documents)
    if after is not None:
        its = _disagreeing(Document.objects.filter(pk=after.pk)).values_list("count", flat=True)
        count = next(iter(its), 0)
        ranked = ranked.filter(Q(count__lt=count) | Q(count=count, document__gt=after.pk))
    found = ranked.order_by("-count", "document").values_list("document", flat=True).first()
    if found is None:
        return None if after is not None else _expected(documents, None)
    document: Document = Document.objects.get(pk=found)
    return document


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


ORDERS: dict[Order, Callable[[DocumentQuerySet, Document | None], Document | None]] = {
    Order.EXPECTED: _expected,
    Order.SEQUENTIAL: _sequential,
    Order.RANDOM: _random,
    Order.DISAGREEMENT: _disagreement,
}

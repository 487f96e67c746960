"""Rebuilds what the machine suggests in documents that no person has finished.

Suggestions follow from predictions, answers and τ; whenever one of these changes they are built
anew. What people decided is not touched, and neither is a span they decided about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from django.db import transaction

from mlworker.fusion import Fused, Rules, fuse
from mlworker.schema import Routing

from . import evidence
from .evidence import Known
from .markup import ROWS
from .models import Correction, Document, Label, Mention, Project

BATCH = 200

Span = tuple[int, int]


@dataclass
class Basis:
    """All that suggestions in a batch of documents are built from."""

    rules: Rules
    labels: dict[str, Label]
    known: dict[int, list[Known]]
    has_model: bool
    """Without one, a document in which nothing was found has not been read as a whole."""
    resized: set[tuple[int, Span]] | None = None
    """Where mentions may overlap: the documents and spans that people gave other bounds."""

    @classmethod
    def read(cls, project: Project, documents: Iterable[int]) -> Basis:
        """Nothing is known where a version serves, but no τ for the project's method yet: what it
        says cannot be told, and a document is not to lose that for what the LLM says alone."""
        labels = {label.name: label for label in project.labels.all()}
        threshold = project.threshold()
        has_model = project.serving is not None
        tells = threshold is not None or not has_model
        known = evidence.gather(project, documents) if tells else {}
        rules = evidence.rules(project, threshold)
        resized = _resized(documents) if project.overlap else None
        return cls(rules, labels, known, has_model, resized)

    def fused(
        self, document: int, among: Callable[[Span], bool] = lambda _: True
    ) -> list[tuple[Known, Fused]]:
        """Each span of `document` that anything is known of, `among` those that are still open,
        and what follows from it."""
        known = [k for k in self.known[document] if among((k.span.start, k.span.end))]
        return list(zip(known, fuse([k.span for k in known], self.rules), strict=True))


def _resized(documents: Iterable[int]) -> set[tuple[int, Span]]:
    """What people gave other bounds is not to come back beside what it became."""
    rows = Correction.objects.standing().filter(document__in=documents)
    rows = rows.filter(action=Correction.Action.RESIZE)
    found = rows.values_list("document_id", "start_before", "end_before")
    return {(document, (start, end)) for document, start, end in found}


def refresh_under_review(project: Project) -> None:
    """As `refresh`, of all documents that are tagged and not gold."""
    documents = Document.objects.filter(project=project).to_review()
    refresh(project, documents.values_list("pk", flat=True))


def refresh(project: Project, documents: Iterable[int]) -> None:
    """Rebuilds the suggestions of `documents` (ids). Left alone are gold ones, and those that the
    serving version has not read yet: what an earlier version suggested stands until then."""
    # Always in the same order, so that two that rebuild the same documents do not wait for each
    # other.
    ids = sorted(documents)
    for at in range(0, len(ids), BATCH):
        with transaction.atomic():
            rows = Document.objects.filter(pk__in=ids[at : at + BATCH], project=project)
            open_rows = list(
                rows.exclude(status=Document.Status.GOLD)
                .select_for_update()
                .without_text()
                .prefetch_related("mentions")
            )
            basis = Basis.read(project, [d.pk for d in open_rows])
            changes = Changes()
            for document in open_rows:
                if document.pk in basis.known:
                    _rebuild(document, basis, changes)
            changes.write()


@dataclass
class Changes:
    """What a rebuild makes of a batch of documents, written at once."""

    gone: list[int] = field(default_factory=list)
    new: list[Mention] = field(default_factory=list)
    changed: list[Mention] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)

    def write(self) -> None:
        Mention.objects.filter(pk__in=self.gone).delete()
        self._name()
        Mention.objects.bulk_create(self.new, batch_size=ROWS)
        fields = [
            "source",
            "needs_person",
            "maybe",
            "reason",
            "right",
            "prediction",
            "question",
        ]
        Mention.objects.bulk_update(self.changed, fields, batch_size=ROWS)
        fields = ["version", "status", "needs_count", "priority"]
        Document.objects.bulk_update(self.documents, fields)

    def _name(self) -> None:
        """Reads the texts of the documents that get new mentions, one at a time."""
        new = defaultdict(list)
        for mention in self.new:
            new[mention.document_id].append(mention)
        texts = Document.objects.filter(pk__in=new).values_list("pk", "text")
        for pk, text in texts.iterator(chunk_size=1):
            for mention in new[pk]:
                mention.take_form(text)


def _rebuild(document: Document, basis: Basis, changes: Changes) -> None:
    present = list(document.mentions.all())
    kept = [m for m in present if _stands(m)]
    old = {m.key: m for m in present if not _stands(m)}
    wanted = {m.key: m for m in _suggest(document, kept, basis)}
    for key in old.keys() & wanted.keys():
        wanted[key].pk = old[key].pk
    changes.gone += [m.pk for key, m in old.items() if key not in wanted]
    changes.new += [m for key, m in wanted.items() if key not in old]
    changes.changed += [m for key, m in wanted.items() if key in old]
    # Whoever has the page open must see this before submitting what they no longer see.
    document.version += {_seen(m) for m in old.values()} != {_seen(m) for m in wanted.values()}
    if wanted or basis.has_model:
        document.status = Document.Status.TAGGED
    weigh(document, [*kept, *wanted.values()])
    changes.documents.append(document)


def _stands(mention: Mention) -> bool:
    """Whether a rebuild leaves this one alone: decided, or brought along by an import."""
    return mention.state != Mention.State.SUGGESTED or mention.source == Mention.Source.IMPORT


def _seen(mention: Mention) -> tuple[object, ...]:
    """What a person sees of a suggestion, and what submitting would make of it."""
    return *mention.key, mention.source, mention.needs_person, mention.maybe, mention.reason


def _suggest(document: Document, kept: list[Mention], basis: Basis) -> Iterator[Mention]:
    taken = [(m.start, m.end) for m in kept if m.state != Mention.State.REJECTED]
    refused = {(m.start, m.end) for m in kept if m.state == Mention.State.REJECTED}

    def is_open(span: Span) -> bool:
        if span in refused:
            return False
        if basis.resized is not None:
            return span not in taken and (document.pk, span) not in basis.resized
        return not _overlaps(span, taken)

    # What is decided is left out before, not after: it must hide nothing that it overlaps.
    for known, fused in basis.fused(document.pk, is_open):
        label = basis.labels.get(fused.shown or "")
        if label is None:
            continue
        yield Mention(
            document=document,
            start=known.span.start,
            end=known.span.end,
            label=label,
            source=fused.source,
            needs_person=fused.routing == Routing.HUMAN,
            maybe=fused.label is None,
            reason=fused.reason[:300],
            right=fused.right,
            prediction=known.prediction,
            question=known.question,
        )


def _overlaps(span: Span, taken: list[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in taken)


def weigh(document: Document, mentions: Iterable[Mention]) -> None:
    """Sets what orders the queue, from the document's `mentions` with their predictions at hand
    (not saved)."""
    doubts = [_doubt(mention) for mention in mentions if _waits(mention)]
    document.needs_count, document.priority = len(doubts), sum(doubts)


def _waits(mention: Mention) -> bool:
    return mention.state == Mention.State.SUGGESTED and mention.needs_person


def _doubt(mention: Mention) -> float:
    """How probably what is shown is wrong: as checked spans tell, else as the local model says;
    what nobody can say anything about comes first."""
    if mention.right is not None:
        return 1 - mention.right
    return mention.prediction.uncertainty if mention.prediction else 1.0

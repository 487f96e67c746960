"""Gold and suggestions go out, with where each mention comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from django.db.models import Prefetch

from . import formats
from .formats.records import ExportDocument, ExportMention
from .models import Correction, Document, Mention, Project
from .models.documents import DocumentQuerySet

CHUNK = 500
"""Documents that are read at once."""


class ExportFormat(NamedTuple):
    title: str
    extension: str
    content_type: str
    keeps: str
    loses: str
    gold_only: bool = False
    """The format cannot tell a suggestion from a mention, so only gold documents go into it."""


FORMATS = {
    "jsonl": ExportFormat(
        "JSON lines, with provenance",
        extension="jsonl",
        content_type="application/x-ndjson",
        keeps="All of it: text, offsets, gold or not; who said each mention, how unsure, who "
        "decided.",
        loses="Spans that were rejected, maybes nobody confirmed, and what a text is held out for.",
    ),
    "labelstudio": ExportFormat(
        "Label Studio JSON",
        extension="json",
        content_type="application/json",
        keeps="Every document; gold as annotations, the machine's suggestions as predictions.",
        loses="Who decided, and the LLM's own answer.",
    ),
    "conll": ExportFormat(
        "CoNLL, IOB2",
        extension="conll",
        content_type="text/plain; charset=utf-8",
        keeps="Gold documents only: words with one label each as B- and I- tags, read by every NER "
        "tool.",
        loses="Overlapping mentions, edges inside a word, scores, sources, and the exact white "
        "space.",
        gold_only=True,
    ),
}


def export(
    project: Project,
    format: str,
    losses: list[formats.Loss] | None = None,
    tell: Callable[[int], None] | None = None,
) -> Iterator[str]:
    """The whole project in `format` (a key of `FORMATS`), piece by piece; `losses` gathers, on
    the way, the mentions that the format cannot carry; `tell` hears now and then how many
    documents are done."""
    going = _with_mentions(documents(project, format))
    if tell is not None:
        going = _counted(going, tell)
    return formats.dump(format, going, [] if losses is None else losses)


def _counted(
    going: Iterator[ExportDocument], tell: Callable[[int], None]
) -> Iterator[ExportDocument]:
    done = 0
    for done, document in enumerate(going, 1):
        yield document
        if done % CHUNK == 0:
            tell(done)
    if done % CHUNK:
        tell(done)


def documents(project: Project, format: str) -> DocumentQuerySet:
    """The documents that go into a file of this format."""
    chosen: DocumentQuerySet = Document.objects.filter(project=project)
    return chosen.gold() if FORMATS[format].gold_only else chosen


def _with_mentions(chosen: DocumentQuerySet) -> Iterator[ExportDocument]:
    """Documents with what is shown in them: rejected spans are left out, and so are maybes."""
    shown = Mention.objects.exclude(state=Mention.State.REJECTED).filter(maybe=False)
    shown = shown.select_related("label", "prediction__tagging__version", "question")
    corrections = Correction.objects.standing().select_related("author", "label")
    corrections = corrections.defer("changes").order_by("created_at")
    rows = chosen.prefetch_related(
        Prefetch("mentions", shown), Prefetch("corrections", corrections)
    )
    for document in rows.iterator(chunk_size=CHUNK):
        yield _document(document)


def _document(document: Document) -> ExportDocument:
    decisions = {(c.start, c.end, c.label_id): c for c in document.corrections.all()}
    return ExportDocument(
        id=document.pk,
        name=document.name,
        text=document.text,
        gold=document.status == Document.Status.GOLD,
        mentions=[
            _mention(m, decisions.get((m.start, m.end, m.label_id)))
            for m in document.mentions.all()
        ],
        tokens=[(start, end) for start, end in document.tokens] if document.tokens else None,
        meta=document.meta,
    )


def _mention(mention: Mention, decision: Correction | None) -> ExportMention:
    prediction, question = mention.prediction, mention.question
    return ExportMention(
        start=mention.start,
        end=mention.end,
        label=mention.label.name,
        source=mention.source,
        model_version=str(prediction.tagging.version.number) if prediction else "",
        uncertainty=round(prediction.uncertainty, 5) if prediction else None,
        right=None if mention.right is None else round(mention.right, 5),
        routing=mention.routing,
        llm_label=question.answer if question else "",
        decided_by=decision.author.username if decision else "",
        decided_at=decision.created_at.isoformat() if decision else "",
        evidence=decision.evidence if decision else "",
    )

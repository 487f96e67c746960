"""Examples for a prompt, drawn from gold that is learned from (never from what is measured on).

The draw is random but settled by a seed: spans are ranked by a hash of the seed, their document's
text and their place, so the same gold gives the same examples.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mlworker import schema

from .models import Correction, Document, Label, Mention, Prediction, Project

LONGEST = 400
"""Characters of a sentence that may be an example."""
WIDEST = 2
"""Words of a span that was nobody's idea of a mention."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Span:
    """A labelled span of a document, which is known by its id and the hash of its text."""

    document: int
    sha256: str
    start: int
    end: int
    label: str

    def rank(self, seed: int) -> str:
        return rank(seed, self.sha256, self.start, self.end)


def rank(seed: int, sha256: str, start: int, end: int) -> str:
    """Where a span of a text comes in a draw: the order of these is random, but always the same."""
    return hashlib.sha256(f"{seed}:{sha256}:{start}:{end}".encode()).hexdigest()


def draw(project: Project, per_label: int, seed: int) -> list[schema.Example]:
    """`per_label` examples of each label and of "not an entity", or as many as gold has, all
    mixed; only the sentences of these travel."""
    spans = [*_mentions(project)]
    drawn: list[tuple[str, schema.Example]] = []
    for label in project.labels.all():
        found = _ranked((span for span in spans if span.label == label.name), seed)
        drawn += _first(found, per_label, seed)
    drawn += _first(_no_mentions(project, spans, seed), per_label, seed)
    return [example for _, example in sorted(drawn, key=lambda pair: pair[0])]


def _ranked(spans: Iterable[Span], seed: int) -> list[Span]:
    return sorted(spans, key=lambda span: span.rank(seed))


def _first(spans: Iterable[Span], count: int, seed: int) -> Iterator[tuple[str, schema.Example]]:
    """The first `count` of `spans` whose sentence can be shown, no two of them alike."""
    seen: set[schema.Example] = set()
    for span in spans:
        if len(seen) == count:
            return
        example = _example(span)
        if example is not None and example not in seen:
            seen.add(example)
            yield span.rank(seed), example


def _example(span: Span) -> schema.Example | None:
    document = Document.objects.get(pk=span.document)
    start, end = _sentence(document, span)
    if end - start > LONGEST:
        return None
    return schema.Example(
        document.text[start:end], span.start - start, span.end - start, span.label
    )


def _sentence(document: Document, span: Span) -> tuple[int, int]:
    """The sentence as the local model cut it, where it read the document; else the line, which
    is a sentence where the text came with words."""
    read = Prediction.objects.filter(
        tagging__document=document, sentence_start__lte=span.start, sentence_end__gte=span.end
    ).first()
    if read is not None:
        return read.sentence_start, read.sentence_end
    end = document.text.find("\n", span.end)
    start = document.text.rfind("\n", 0, span.start) + 1
    return start, len(document.text) if end < 0 else end


# --- Where examples come from ------------------------------------------------------------------
_LEARNED = {
    "document__status": Document.Status.GOLD,
    "document__split": Document.Split.TRAIN,
}


def _mentions(project: Project) -> Iterator[Span]:
    rows = Mention.objects.accepted().filter(document__project=project, **_LEARNED)
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    fields = ("document_id", "document__sha256", "start", "end", "label_id")
    for document, sha256, start, end, label in rows.values_list(*fields).iterator():
        yield Span(document, sha256, start, end, names[label])


def _no_mentions(project: Project, mentions: list[Span], seed: int) -> Iterator[Span]:
    """Spans that are no mentions in gold: first those that people rejected or resized, which is
    where mistakes are made, then words picked without looking."""
    taken = {(span.document, span.start, span.end) for span in mentions}
    for spans in (_ranked(_refused(project), seed), _picked(project, seed)):
        for span in spans:
            if (span.document, span.start, span.end) not in taken:
                yield span


def _refused(project: Project) -> Iterator[Span]:
    refusals = (Correction.Action.REJECT, Correction.Action.RESIZE)
    rows = Correction.objects.filter(document__project=project, action__in=refusals, **_LEARNED)
    fields = ("document_id", "document__sha256", "start_before", "end_before")
    for document, sha256, start, end in rows.values_list(*fields):
        yield Span(document, sha256, start, end, schema.NO_ENTITY)


def _picked(project: Project, seed: int) -> Iterator[Span]:
    """A span of one or two words of each document, in random order."""
    documents = Document.objects.gold().filter(project=project, split=Document.Split.TRAIN)
    rows = documents.values_list("pk", "sha256")
    wholes = (Span(pk, sha256, 0, 0, schema.NO_ENTITY) for pk, sha256 in rows)
    for whole in _ranked(wholes, seed):
        spans = [*_words(Document.objects.get(pk=whole.document).text)]
        if spans:
            start, end = spans[int(whole.rank(seed), 16) % len(spans)]
            yield replace(whole, start=start, end=end)


def _words(text: str) -> Iterator[tuple[int, int]]:
    """Offsets of each run of up to `WIDEST` words that lie in one line."""
    words = [match.span() for match in _WORD.finditer(text)]
    for first, (start, _) in enumerate(words):
        for _, end in words[first : first + WIDEST]:
            if "\n" not in text[start:end]:
                yield start, end

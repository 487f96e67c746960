"""Examples for a prompt, from gold that is learned from (never from what is measured on).

For all questions they are drawn at random, settled by a seed: spans are ranked by a hash of the
seed, their document's text and their place, so the same gold gives the same examples. For each
question they are the gold mentions most like its span, as the model that read it named them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from mlworker import schema

from .examples import StillGold, still_gold
from .models import Correction, Document, Label, Mention, Prediction, Project, Prompt, Tagging

LONGEST = 400
"""Characters of a sentence that may be an example."""
WIDEST = 2
"""Words of a span that was nobody's idea of a mention."""
_WORD = re.compile(r"\w+")

Place = tuple[int, int, int]
"""The id of a document, and where in it a span starts and ends."""
Sentences = list[tuple[int, int, float]]
"""As `Tagging.sentences`."""


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
    text = Document.objects.get(pk=span.document).text
    cut = _sentences([span.document]).get(span.document, [])
    return _in_its_sentence(text, cut, span.start, span.end, span.label)


def _in_its_sentence(
    text: str, sentences: Sentences, start: int, end: int, label: str
) -> schema.Example | None:
    """None where the sentence is too long to be shown."""
    first, last = _sentence(text, sentences, start, end)
    if last - first > LONGEST:
        return None
    return schema.Example(text[first:last], start - first, end - first, label)


def _sentences(documents: Iterable[int]) -> dict[int, Sentences]:
    """By the id of those that a model has read, the sentences as the last one cut them."""
    taggings = Tagging.objects.filter(document__in=documents).order_by("pk")
    return dict(taggings.values_list("document_id", "sentences"))


def _sentence(text: str, sentences: Sentences, start: int, end: int) -> tuple[int, int]:
    """The one of `sentences` around a span; where there is none the line, which is a sentence
    where the text came with words."""
    for first, last, _ in sentences:
        if first <= start and end <= last:
            return first, last
    line_end = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if line_end < 0 else line_end


# --- Beside each question ----------------------------------------------------------------------
def beside(prompt: Prompt | None, places: Collection[Place]) -> dict[Place, list[schema.Example]]:
    """The examples that `prompt` shows beside the question about the span at each place, the most
    similar first; there may be fewer than it wants, or none. The number of queries is the same
    however many places.

    The newest version that predicted a span says what is most like it. It remembers nothing but
    gold that it learned from; what is held out by now is left out all the same, and so is the very
    text that is asked about, should it have come in twice: that would give the answer away.
    """
    if prompt is None or prompt.shots != Prompt.Shots.NEAREST:
        return {}
    predictions = {
        place: prediction
        for prediction in _newest_last(places)
        if (place := (prediction.tagging.document_id, prediction.start, prediction.end)) in places
    }
    found = still_gold(prompt.project, predictions.values())
    cut = _sentences({mention.named.text for mentions in found.values() for mention in mentions})
    return {
        place: list(_similar(prediction, found[prediction.pk], cut))[: prompt.per_label]
        for place, prediction in predictions.items()
    }


def _newest_last(places: Collection[Place]) -> Iterable[Prediction]:
    """Predictions of all versions, among them those at `places`."""
    documents, starts = {pk for pk, *_ in places}, {start for _, start, _ in places}
    found = Prediction.objects.filter(tagging__document__in=documents, start__in=starts)
    needed = ("start", "end", "nearest", "tagging__document__sha256")
    return found.order_by("pk").select_related("tagging__document").only(*needed)


def _similar(
    prediction: Prediction, mentions: Iterable[StillGold], cut: dict[int, Sentences]
) -> Iterator[schema.Example]:
    for mention in mentions:
        document, named = mention.document, mention.named
        learned = document.split == Document.Split.TRAIN
        if not learned or document.sha256 == prediction.tagging.document.sha256:
            continue
        sentences = cut.get(document.pk, [])
        example = _in_its_sentence(document.text, sentences, named.start, named.end, named.label)
        if example is not None:
            yield example


# --- Where examples are drawn from --------------------------------------------------------------
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
    rows = Correction.objects.standing().filter(document__project=project, **_LEARNED)
    rows = rows.filter(action__in=refusals)
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

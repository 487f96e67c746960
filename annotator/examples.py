"""The gold mentions most like a span, for people: evidence for who decides, never a verdict.

A model version names them as it tags. Gold may have changed since, so each is looked up again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlworker import schema

from .models import Document, Label, Mention, Prediction, Project

MARGIN = 60
"""About how many characters are shown on either side of a mention."""

_LINE_END = re.compile(r"[\r\n]")
_FIRST_WORD = re.compile(r"\A\S*\s")
_LAST_WORD = re.compile(r"\s\S*\Z")


@dataclass(frozen=True)
class GoldExample:
    """A gold mention with what stands around it on its line; `similarity` is a cosine."""

    label: Label
    similarity: float
    before: str
    surface: str
    after: str


def resolve(project: Project, predictions: Iterable[Prediction]) -> dict[int, list[GoldExample]]:
    """By the id of each prediction, the examples named with it that are gold of `project` still:
    the same span with the same label. Two queries, however many there are."""
    named = {p.pk: [schema.Neighbour.from_json(e) for e in p.nearest] for p in predictions}
    keys = {_key(example) for examples in named.values() for example in examples}
    documents = Document.objects.gold().filter(project=project, pk__in={text for text, *_ in keys})
    texts = dict(documents.values_list("pk", "text"))
    mentions = Mention.objects.accepted().select_related("label")
    mentions = mentions.filter(document__in=texts, start__in={start for _, start, *_ in keys})
    labels = {(m.document_id, m.start, m.end, m.label.name): m.label for m in mentions}
    return {
        pk: [
            _example(texts[example.text], example, label)
            for example in examples
            if (label := labels.get(_key(example)))
        ]
        for pk, examples in named.items()
    }


def _key(example: schema.Neighbour) -> tuple[int, int, int, str]:
    return example.text, example.start, example.end, example.label


def _example(text: str, example: schema.Neighbour, label: Label) -> GoldExample:
    start, end = example.start, example.end
    return GoldExample(
        label, example.similarity, _before(text, start), text[start:end], _after(text, end)
    )


def _before(text: str, start: int) -> str:
    """The line up to `start`, or the last whole words of it that fit."""
    # One character more than fits: white space there means that no word is cut.
    near = text[max(start - MARGIN - 1, 0) : start]
    line = _LINE_END.split(near)[-1]
    if line != near or start <= MARGIN:
        return line.lstrip()
    return f"… {_FIRST_WORD.sub('', line)}"


def _after(text: str, end: int) -> str:
    """The line from `end` on, or the first whole words of it that fit."""
    near = text[end : end + MARGIN + 1]
    line = _LINE_END.split(near)[0]
    if line != near or end + MARGIN >= len(text):
        return line.rstrip()
    return f"{_LAST_WORD.sub('', line)} …"

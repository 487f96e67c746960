"""The gold mentions most like a span: evidence for who decides, never a verdict.

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


@dataclass(frozen=True)
class StillGold:
    """A mention that was `named` by a version and is gold still; of its document the text, its
    hash and the split are loaded."""

    named: schema.Neighbour
    label: Label
    document: Document


def resolve(project: Project, predictions: Iterable[Prediction]) -> dict[int, list[GoldExample]]:
    """As `still_gold`, to be shown to people."""
    found = still_gold(project, predictions)
    return {pk: [_example(mention) for mention in mentions] for pk, mentions in found.items()}


def still_gold(project: Project, predictions: Iterable[Prediction]) -> dict[int, list[StillGold]]:
    """By the id of each prediction, the mentions named with it that are gold of `project` still:
    the same span with the same label. Two queries, however many there are."""
    named = {p.pk: [schema.Neighbour.from_json(e) for e in p.nearest] for p in predictions}
    keys = {_key(mention) for mentions in named.values() for mention in mentions}
    of_project = Document.objects.gold().filter(project=project)
    documents = of_project.filter(pk__in={text for text, *_ in keys}).only(
        "text", "sha256", "split"
    )
    by_pk = {document.pk: document for document in documents}
    mentions = Mention.objects.accepted().select_related("label")
    mentions = mentions.filter(document__in=by_pk, start__in={start for _, start, *_ in keys})
    labels = {(m.document_id, m.start, m.end, m.label.name): m.label for m in mentions}
    return {
        pk: [
            StillGold(mention, label, by_pk[mention.text])
            for mention in mentions
            if (label := labels.get(_key(mention)))
        ]
        for pk, mentions in named.items()
    }


def _key(mention: schema.Neighbour) -> tuple[int, int, int, str]:
    return mention.text, mention.start, mention.end, mention.label


def _example(mention: StillGold) -> GoldExample:
    text, start, end = mention.document.text, mention.named.start, mention.named.end
    return GoldExample(mention.label, mention.named.similarity, *on_its_line(text, start, end))


def on_its_line(text: str, start: int, end: int, margin: int = MARGIN) -> tuple[str, str, str]:
    """What stands before a span on its line, its own words, and what stands after it. Reads no
    more of `text` than one character more than `margin` on either side."""
    return _before(text, start, margin), text[start:end], _after(text, end, margin)


def _before(text: str, start: int, margin: int) -> str:
    """The line up to `start`, or the last whole words of it that fit."""
    # One character more than fits: white space there means that no word is cut.
    near = text[max(start - margin - 1, 0) : start]
    line = _LINE_END.split(near)[-1]
    if line != near or start <= margin:
        return line.lstrip()
    return f"… {_FIRST_WORD.sub('', line)}"


def _after(text: str, end: int, margin: int) -> str:
    """The line from `end` on, or the first whole words of it that fit."""
    near = text[end : end + margin + 1]
    line = _LINE_END.split(near)[0]
    if line != near or end + margin >= len(text):
        return line.rstrip()
    return f"{_LAST_WORD.sub('', line)} …"

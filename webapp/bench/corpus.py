"""The texts that the bench works on, each with the mentions that a model is to have suggested.

They are those of a corpus. How unsure the model is of each mention is drawn elsewhere.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from annotator import formats
from mlworker.schema import Mention, Text

PREFERRED = "wnut17"
"""The corpus that is taken where there are several: that of the other tools' figures."""
MENTIONS_EACH = 2
ADDED = "person"
"""The label of mentions that are not gold."""
WORD = re.compile(r"\w+")

JOB_TEXT = (
    "Ada Lovelace met Charles Babbage in London, and Mary Somerville wrote from Edinburgh to the "
    "Royal Society about the Difference Engine, while Augustus De Morgan taught in Cambridge."
)
JOB_MENTIONS = (
    ("Ada Lovelace", "person"),
    ("Charles Babbage", "person"),
    ("London", "location"),
    ("Mary Somerville", "location"),
    ("Edinburgh", "location"),
    ("Royal Society", "group"),
    ("taught", "product"),
)
"""Of the five-step job: five are right, one has a wrong label, one is none, and one is missing."""


def files(data: Path) -> list[Path]:
    """The CoNLL files of the corpus in `data`, or in a folder there. Raises `ValueError` where
    there are none."""
    places = (data, data / PREFERRED, *sorted(data.glob("*/")))
    found = next((found for place in places if (found := sorted(place.glob("*.conll")))), [])
    if not found:
        raise ValueError(f"{data} has no corpus with files *.conll")
    return found


def read(data: Path) -> list[Text]:
    """The texts of `files`; raises what they raise, and `FormatError`."""
    records = [
        record
        for file in files(data)
        for record in formats.parse("conll", file.read_bytes(), filename=file.name).records
    ]
    return [Text(n, r.text, r.tokens, r.mentions) for n, r in enumerate(records)]


def many(texts: Sequence[Text], count: int, draw: random.Random) -> Iterator[Text]:
    """`texts` over and over; each with `MENTIONS_EACH` mentions, gold ones first, as far as it has
    the words."""
    for text in islice(cycle(texts), count):
        mentions = list(text.mentions[:MENTIONS_EACH])
        free = [span for span in _words(text.text) if not _overlaps(span, mentions)]
        missing = min(MENTIONS_EACH - len(mentions), len(free))
        mentions += [Mention(*span, ADDED) for span in draw.sample(free, missing)]
        yield Text(text.id, text.text, text.tokens, mentions)


def long(texts: Sequence[Text], mentions: int, *, words: int = 0, size: int = 0) -> Text:
    """Lines until there are `words` words, parted by blanks, and `size` bytes, with `mentions`
    words marked, as far apart as they can be."""
    lines = []
    for text in cycle(texts):
        if words <= 0 and size <= 0:
            break
        lines.append(text.text)
        words -= len(text.text.split())
        size -= len(text.text.encode()) + 1
    whole = "\n".join(lines)
    spans = _words(whole)
    chosen = (spans[n * len(spans) // mentions] for n in range(mentions))
    return Text(0, whole, mentions=[Mention(*span, ADDED) for span in chosen])


def job() -> Text:
    """What the five-step job begins with."""
    starts = [(JOB_TEXT.index(words), words, label) for words, label in JOB_MENTIONS]
    return Text(0, JOB_TEXT, mentions=[Mention(at, at + len(w), label) for at, w, label in starts])


def _words(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in WORD.finditer(text)]


def _overlaps(span: tuple[int, int], mentions: Sequence[Mention]) -> bool:
    return any(span[0] < mention.end and mention.start < span[1] for mention in mentions)

"""Words of a text: those that a file gives, and a tokenisation of our own for any script.

A word is a run of letters, digits, marks and `_`; every other visible character is a word by
itself, with the marks, joiners and skin tones that follow it. Scripts written without spaces
(Chinese, Japanese, Thai, …) are cut at every character, as their NER corpora are.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Any

from annotator.formats.records import FormatError

_ZERO_WIDTH_JOINER = "\u200d"
_INSIDE_WORDS = re.compile("[\u00ad\u200c\u200d\U000e0020-\U000e007f]")
_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")
_FLAG_LETTERS = re.compile("[\U0001f1e6-\U0001f1ff]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    """`space`, `extends` (what precedes it), `flag`, `word` or `alone`."""
    category = unicodedata.category(character)
    if category[0] == "M" or _INSIDE_WORDS.match(character) or _SKIN_TONES.match(character):
        return "extends"
    if character.isspace() or category == "Cf":
        return "space"
    if _FLAG_LETTERS.match(character):
        return "flag"
    if _UNSPACED.match(character):
        return "alone"
    return "word" if category[0] in "LN" or category == "Pc" else "alone"


def words(text: str) -> list[tuple[int, int]]:
    """The spans of the words, in order."""
    spans: list[tuple[int, int]] = []
    start, last, before = 0, "space", ""
    for index, character in enumerate(text):
        kind = _kind(character)
        if not _joins(kind, last, before):
            if last != "space":
                spans.append((start, index))
            start, last = index, kind
        elif kind == "flag":
            last = "alone"  # two letters make a flag; a third begins the next one
        before = character
    if last != "space":
        spans.append((start, len(text)))
    return spans


def _joins(kind: str, last: str, before: str) -> bool:
    """Whether a character goes on with the word whose kind is `last`."""
    if kind == "space" or last == "space":
        return kind == last
    if kind == "extends" or before == _ZERO_WIDTH_JOINER:
        return True
    return kind == last and kind in ("word", "flag")


def pop_tokens(row: dict[str, Any], text: str) -> list[tuple[int, int]] | None:
    """Takes words given as `[start, end]` pairs under `tokens` out of a row.

    Leaves anything else that is called `tokens` where it is.
    """
    value = row.get("tokens")
    if not isinstance(value, list) or not value or not all(_is_pair(each) for each in value):
        return None
    tokens = [(start, end) for start, end in row.pop("tokens")]
    in_order = all(a[1] <= b[0] for a, b in pairwise(tokens))
    if not in_order or not all(0 <= start < end <= len(text) for start, end in tokens):
        raise FormatError("'tokens' are no spans of the text in order, without overlaps")
    for start, end in tokens:
        token = text[start:end]
        if not token.strip() or re.search("[\t\n\r]", token):
            raise FormatError(f"the token [{start}, {end}) is blank or not within one line")
    return tokens


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value)

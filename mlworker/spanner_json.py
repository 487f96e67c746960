"""SpanNER's JSON, as the code of SpanNER and LinkNER reads it: a list with an object per sentence,

    {"context": "Ada lives in New York", "span_posLabel": {"0;0": "PER", "3;4": "LOC"}}

where a key is a mention's first and last word (inclusive), and blanks part the words of `context`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from mlworker.schema import NO_ENTITY, Mention, Text

KEY = re.compile(r"(\d{1,9});(\d{1,9})")
WORD = re.compile(r"\S+")
DOCUMENT_START = "-DOCSTART-"


def parse(content: str, name: str) -> list[Text]:
    """A text per sentence, its context unchanged; `-DOCSTART-` sentences are passed over.

    Raises `ValueError`, with `name` and the record's number (from 1), where a record is broken.
    """
    try:
        records = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{name}: not JSON: {error}") from error
    if not isinstance(records, list):
        raise ValueError(f"{name}: not a list of objects with context and span_posLabel")
    return [
        _text(index, record, f"{name}, record {index + 1}")
        for index, record in enumerate(records)
        if not (isinstance(record, dict) and record.get("context") == DOCUMENT_START)
    ]


def _text(number: int, record: Any, place: str) -> Text:
    context, spans = (
        (record.get("context"), record.get("span_posLabel"))
        if isinstance(record, dict)
        else (None, None)
    )
    if not isinstance(context, str) or not isinstance(spans, dict):
        raise ValueError(f"{place}: not an object with a text `context` and spans `span_posLabel`")
    try:
        context.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{place}: half a character in the context: {error}") from error
    words = [word.span() for word in WORD.finditer(context)]
    mentions = [_mention(key, label, words, place) for key, label in spans.items()]
    return Text(number, context, words, sorted(mentions))


def _mention(key: str, label: Any, words: list[tuple[int, int]], place: str) -> Mention:
    found = KEY.fullmatch(key)
    if not found:
        raise ValueError(f'{place}: the span {key!r:.40} is not "first word;last word"')
    first, last = int(found[1]), int(found[2])
    if not first <= last < len(words):
        raise ValueError(f"{place}: the span {key!r} leaves the {len(words)} words of its context")
    if not isinstance(label, str) or label in ("", NO_ENTITY):
        raise ValueError(f"{place}: {label!r:.40} is no label")
    return Mention(words[first][0], words[last][1], label)

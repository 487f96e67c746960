"""What an LLM found when it read sentences whole, placed exactly.

    {"found": [{"id": 1, "mentions": [{"text": "Ada", "occurrence": 1, "label": "A"}]}]}

What does not stand in the text, or not that often, or has a label that was not offered, is listed
as ungrounded and never placed by guess. Texts are numbered from 1, in the order of the request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from mlworker.llm.outcomes import bounded
from mlworker.llm.replies import Entry, entries
from mlworker.schema import Finds, Mention, Passage, Ungrounded

MAX_WORDS, MAX_LABEL = 300, 64
"""Bytes that are kept of what cannot be placed."""


def parse(content: str, options: Mapping[str, str], passages: Sequence[Passage]) -> list[Finds]:
    """What was found in each passage, in their order."""
    try:
        found = entries(content, "found")
        if {entry["id"] for entry in found} - {*range(1, len(passages) + 1)}:
            # Most likely all numbers are off by one, so no other one can be trusted either.
            raise ValueError("the LLM read a text that was not given")
    except ValueError as error:
        return [Finds(passage.id, None, reason=str(error)) for passage in passages]
    return [
        _finds(passage, [entry for entry in found if entry["id"] == number], options)
        for number, passage in enumerate(passages, start=1)
    ]


def _finds(passage: Passage, given: Sequence[Entry], options: Mapping[str, str]) -> Finds:
    mentions = given[0].get("mentions") if len(given) == 1 else None
    if not isinstance(mentions, list) or not all(isinstance(m, dict) for m in mentions):
        how = "several times" if len(given) > 1 else "not at all, or not as it was asked to"
        return Finds(passage.id, None, reason=f"the LLM read this text {how}")
    placed = [(_place(passage.text, mention, options), mention) for mention in mentions]
    # A span that was given two labels has neither.
    labels = Counter((m.start, m.end) for m in {m for m, _ in placed if m is not None})
    sure = {m for m, _ in placed if m is not None and labels[m.start, m.end] == 1}
    ungrounded = [_as_named(mention, options) for m, mention in placed if m not in sure]
    return Finds(passage.id, sorted(sure), ungrounded)


def _place(text: str, mention: Entry, options: Mapping[str, str]) -> Mention | None:
    words, occurrence, code = mention.get("text"), mention.get("occurrence"), mention.get("label")
    if not isinstance(words, str) or not words.strip() or type(occurrence) is not int:
        return None
    if not isinstance(code, str) or code not in options:
        return None
    for number, start in enumerate(_occurrences(text, words), start=1):
        if number == occurrence:
            return Mention(start, start + len(words), options[code])
    return None


def _occurrences(text: str, words: str) -> Iterator[int]:
    """Where `words` stand, from left to right; none overlaps the one before."""
    start = text.find(words)
    while start >= 0:
        yield start
        start = text.find(words, start + len(words))


def _as_named(mention: Entry, options: Mapping[str, str]) -> Ungrounded:
    words, code = mention.get("text"), mention.get("label")
    label = options.get(code, code) if isinstance(code, str) else ""
    return Ungrounded(
        bounded(words if isinstance(words, str) else "", MAX_WORDS), bounded(label, MAX_LABEL)
    )

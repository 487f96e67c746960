"""Words and sentences of a text, as exact code-point offsets; nothing but white space is left out.

Words are cut finely (hyphens stand alone, scripts without spaces go character by character),
because a mention can only begin and end where a word does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import regex

from mlworker.languages import pipeline
from mlworker.schema import Text

if TYPE_CHECKING:
    from spacy.language import Language

Offsets = tuple[int, int]

MAX_CONTEXT_WORDS = 120
"""Longer sentences are shown to an LLM in part."""

LINE = regex.compile(r"[^\r\n\u2028\u2029]+")
GIVEN_LINE = regex.compile(r"[^\n]+")
SYMBOLS = regex.compile(r"[^\w\s]{50,}+")
ENDLESS = rf"(?:(?!{SYMBOLS.pattern})\S)"
UNWIELDY = regex.compile(
    rf"""(?V1)(?x)
      {SYMBOLS.pattern}
    | (?={ENDLESS}{{1000}})(?:
          {ENDLESS}{{1,999}}[。！？]
        | {ENDLESS}{{1,999}}\p{{P}}
        | (?:(?!{SYMBOLS.pattern})\X){{1,500}}(?<=\S)
      )
    """
)
"""What a tokeniser would strip mark by mark, in time that grows with the square of the length; and
of what has no white space for so long, as much as ends where a sentence or at least a word may."""
SPACELESS = regex.compile(r"\S+")
CHARACTER = regex.compile(r"\X")
"""As people see it: an emoji with all that belongs to it, a letter with its marks."""
OPENING = frozenset("\"'([{“‘«„‚¿¡「『（")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence's words: their offsets in the document, in order, and what they read."""

    offsets: list[Offsets]
    words: list[str]

    def context(self, first: int, last: int) -> Offsets:
        """Where the sentence around the words `first`..`last` (inclusive) begins and ends.

        Of a sentence beyond `MAX_CONTEXT_WORDS` this is the part around them.
        """
        margin = len(self.words)
        if margin > MAX_CONTEXT_WORDS:
            margin = MAX_CONTEXT_WORDS // 2
        begin = max(first - margin, 0)
        end = min(last + margin, len(self.words) - 1)
        return self.offsets[begin][0], self.offsets[end][1]


def sentences(text: Text) -> list[Sentence]:
    """The sentences of `text` that have words.

    A text with `tokens` has exactly its lines and those words (`ValueError` where they overlap or
    leave the text); any other is cut at its lines' ends and by the rules of its language
    (`ValueError` where that is unknown).
    """
    if text.tokens is None:
        cut = _raw_sentences(text.text, pipeline(text.language))
    else:
        cut = _given_sentences(text.text, text.tokens)
    return [Sentence(words, [text.text[s:e] for s, e in words]) for words in cut if words]


def _raw_sentences(text: str, language: Language) -> Iterator[list[Offsets]]:
    for begin, end in _pieces(text):
        if SYMBOLS.fullmatch(text, begin, end):
            yield list(_characters(text, begin, end))
        else:
            for words in _split(text[begin:end], language):
                yield [(begin + first, begin + last) for first, last in words]


def _pieces(text: str) -> Iterator[Offsets]:
    """The lines of `text`, and apart from them what is unwieldy."""
    for line in LINE.finditer(text):
        begin = line.start()
        for found in UNWIELDY.finditer(text, *line.span()):
            if begin < found.start():
                yield begin, found.start()
            yield found.span()
            begin = found.end()
        if begin < line.end():
            yield begin, line.end()


def _split(text: str, language: Language) -> list[list[Offsets]]:
    """The words of each sentence of a line. What people see as one character stays in one word,
    and a quotation mark or bracket goes with the sentence that it opens."""
    inside = _inside_characters(text)
    sentences: list[list[Offsets]] = []
    begins = True
    for token in language(text):
        begins = begins or bool(token.is_sent_start)
        if token.is_space:
            continue
        start, end = token.idx, token.idx + len(token)
        if start in inside and sentences:
            sentences[-1][-1] = sentences[-1][-1][0], end
            continue
        if begins:
            sentences.append(_opening(text, sentences, start))
            begins = False
        sentences[-1].append((start, end))
    return sentences


def _inside_characters(text: str) -> set[int]:
    """Offsets in the middle of what people see as one character."""
    if text.isascii():
        return set()
    return {i for begin, end in _characters(text, 0, len(text)) for i in range(begin + 1, end)}


def _characters(text: str, begin: int, end: int) -> Iterator[Offsets]:
    """What people see as one, white space left out: Unicode lets that be part of a character, too,
    between a mark that precedes and one that follows."""
    for run in SPACELESS.finditer(text, begin, end):
        for found in CHARACTER.finditer(text, *run.span()):
            yield found.span()


def _opening(text: str, sentences: list[list[Offsets]], start: int) -> list[Offsets]:
    """Taken from the end of the last of `sentences`: the mark that opens the one at `start`."""
    if not sentences or len(sentences[-1]) == 1:
        return []
    mark = sentences[-1][-1]
    apart = text[mark[0] - 1].isspace()
    opens = apart and mark[1] == start and text[slice(*mark)] in OPENING
    return [sentences[-1].pop()] if opens else []


def _given_sentences(text: str, tokens: list[Offsets]) -> Iterator[list[Offsets]]:
    last = 0
    for start, end in tokens:
        if not last <= start < end <= len(text):
            raise ValueError(f"token [{start}, {end}) overlaps another or leaves the text")
        last = end
    at = 0
    for line in GIVEN_LINE.finditer(text):
        begin = at
        while at < len(tokens) and tokens[at][0] < line.end():
            at += 1
        yield tokens[begin:at]

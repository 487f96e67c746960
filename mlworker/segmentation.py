"""Words and sentences of a text, as exact code-point offsets; nothing but white space is left out.

Words are cut finely (hyphens, apostrophes and full stops stand alone, scripts without spaces go
character by character), because a mention can only begin and end where a word does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import regex

from mlworker.schema import Text

Offsets = tuple[int, int]

MAX_CONTEXT_WORDS = 120
"""Longer sentences are shown to an LLM in part."""

WORD = regex.compile(
    r"""(?V1)(?x)
      (?:https?://|www\.)[^\s<>"]*[^\s<>"\p{P}]/?         # a URL, without what closes the sentence
    | [\w.+-]{1,64}+@[\w-]++(?:\.[\w-]++)+                # an e-mail address
    | \p{N}++(?:[.,:]\p{N}++)+                            # 3.14  1,000  12:30
    | \p{L}(?:\.\p{L})+(?![\p{L}\p{M}])                   # U.S (its last full stop stands alone)
    | ['’](?:s|t|d|m|ll|re|ve)\b                          # the end of don't, Nokia's
    | [[\p{L}\p{M}\p{N}_]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]++
    | (?!\s)\X(?<!\s)                                     # an emoji, 字
    | \S
    """
)
SENTENCE_END = regex.compile(
    r"""(?V1)(?x)
      (?<![.!?…])[.!?…]++["'”’)\]»]*+(?=\s++["'“‘(\[«¿¡]*+(?:[^\s\p{Ll}\p{P}]|[@\#]))
    | [。！？｡؟۔।]++["'”’」』）)»]*+
    """
)
LINE = regex.compile(r"[^\r\n\u2028\u2029]+")
GIVEN_LINE = regex.compile(r"[^\n]+")
ABBREVIATION = regex.compile(
    r"""(?V1)(?x)(?<![\p{L}\p{M}\p{N}])(?:
      \p{L} | \p{L}(?:\.\p{L})+
    | (?i:mr|mrs|ms|mx|dr|prof|sr|jr|st|mt|ft|vs|viz|cf|al|inc|ltd|co|corp|bros|dept|univ|approx)
    | (?i:gen|col|maj|capt|cpt|lt|sgt|rev|hon|gov|sen|rep|pres|fig|figs|eq|sec|vol|ed|pp|nos)
    | (?i:jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|mon|tue|tues|wed|thu|thurs|fri|sat)
    )$"""
)
NUMBERED = regex.compile(r"(?V1)(?<![\p{L}\p{M}])(?:[Nn]o|[Aa]rt|[Cc]h)$")


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
    leave the text); any other is cut at its lines' ends and at sentence ends.
    """
    if text.tokens is None:
        cut = _raw_sentences(text.text)
    else:
        cut = _given_sentences(text.text, text.tokens)
    return [Sentence(words, [text.text[s:e] for s, e in words]) for words in cut if words]


def _raw_sentences(text: str) -> Iterator[list[Offsets]]:
    for piece in _pieces(text):
        yield [word.span() for word in WORD.finditer(text, *piece)]


def _pieces(text: str) -> Iterator[Offsets]:
    for line in LINE.finditer(text):
        begin = line.start()
        for end in SENTENCE_END.finditer(text, *line.span()):
            if not _abbreviates(text, begin, end):
                yield begin, end.end()
                begin = end.end()
        yield begin, line.end()


def _abbreviates(text: str, begin: int, end: regex.Match[str]) -> bool:
    """Whether the full stop `end` belongs to the word before it, as in "Dr. Smith"."""
    if end.group() != ".":
        return False
    before = text[max(begin, end.start() - 20) : end.start()]
    if ABBREVIATION.search(before):
        return True
    return bool(NUMBERED.search(before)) and text[end.end() :].lstrip()[:1].isdigit()


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

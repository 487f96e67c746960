"""Text and its spans, cut into lines of segments for the page (pure).

A line opens and closes marks so that they always nest, as HTML needs: where two spans cross, the
one that started later is closed and opened again. The segments and line endings of all lines, put
together, are the text, character for character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")


class Spanned(Protocol):
    """Anything with a half-open span `[start, end)` in code points of the text."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


S = TypeVar("S", bound=Spanned)


@dataclass(eq=False)
class Mark(Generic[S]):
    """One unbroken piece of a span on the page; `first` and `last` tell its pieces apart."""

    span: S
    first: bool = False
    last: bool = False


@dataclass
class Segment(Generic[S]):
    """A stretch of text: open these marks before it, close those (inmost first) after it."""

    text: str
    opens: list[Mark[S]] = field(default_factory=list)
    closes: list[Mark[S]] = field(default_factory=list)


@dataclass
class Line(Generic[S]):
    """`start` is the code point at which the line begins; `ending` is its line break, if any."""

    start: int
    segments: list[Segment[S]]
    ending: str


def highlight(text: str, spans: Iterable[S]) -> list[Line[S]]:
    """The lines of `text` with `spans` marked; what reaches outside the text is cut off."""
    ordered = sorted(spans, key=lambda s: (s.start, -s.end))
    lines = []
    waiting = 0
    alive: list[S] = []
    for start, words, ending in _lines(text):
        end = start + len(words)
        while waiting < len(ordered) and ordered[waiting].start < end:
            alive.append(ordered[waiting])
            waiting += 1
        alive = [s for s in alive if s.end > start]
        lines.append(Line(start, _segments(words, start, alive), ending))
    _number(lines)
    return lines


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Start, words and ending of each line; a text that ends in a line break ends in an empty
    line, as an editor shows it."""
    for found in _LINE.finditer(text):
        yield found.start(), found[1], found[2]
        if not found[2]:
            return


def _segments(words: str, start: int, spans: list[S]) -> list[Segment[S]]:
    """One line, cut wherever one of `spans` (in order) begins or ends."""
    end = start + len(words)
    cuts = {start, end}
    for span in spans:
        cuts.update(at for at in (span.start, span.end) if start < at < end)
    edges = sorted(cuts)
    segments: list[Segment[S]] = []
    stack: list[Mark[S]] = []
    begin, inside = 0, []
    for low, high in pairwise(edges):
        while begin < len(spans) and spans[begin].start <= low:
            inside.append(spans[begin])
            begin += 1
        inside = [s for s in inside if s.end > low]
        kept = _common(stack, inside)
        if segments:
            segments[-1].closes = stack[kept:][::-1]
        opened = [Mark(span) for span in inside[kept:]]
        stack = stack[:kept] + opened
        segments.append(Segment(words[low - start : high - start], opened))
    if segments:
        segments[-1].closes = stack[::-1]
    return segments


def _common(stack: list[Mark[S]], spans: list[S]) -> int:
    """How many of the open marks may stay open."""
    pairs = zip(stack, spans, strict=False)
    return next(
        (n for n, (mark, span) in enumerate(pairs) if mark.span is not span),
        min(len(stack), len(spans)),
    )


def _number(lines: list[Line[S]]) -> None:
    last: dict[int, Mark[S]] = {}
    for line in lines:
        for segment in line.segments:
            for mark in segment.opens:
                mark.first = id(mark.span) not in last
                last[id(mark.span)] = mark
    for mark in last.values():
        mark.last = True

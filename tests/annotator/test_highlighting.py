"""Highlighting: the text comes out whole, marks nest, and every span keeps its own characters."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from annotator.highlighting import Line, highlight

LETTERS = "ab é\u0301😀👨\u200d👩\u200d👧\r\n\t\u2028عב中"


@dataclass(frozen=True)
class Span:
    start: int
    end: int
    name: int = 0


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(st.text(st.sampled_from(LETTERS), max_size=60))
    if not text:
        return text, []
    edge = st.integers(0, len(text))
    pairs = draw(st.lists(st.tuples(edge, edge), max_size=8))
    return text, [Span(min(p), max(p), n) for n, p in enumerate(pairs) if p[0] != p[1]]


def written(lines: list[Line[Span]]) -> str:
    return "".join("".join(s.text for s in line.segments) + line.ending for line in lines)


def covered(lines: list[Line[Span]]) -> dict[Span, set[int]]:
    """The positions each span covers on the page, found by opening and closing as a browser."""
    found: dict[Span, set[int]] = defaultdict(set)
    for line in lines:
        at, stack = line.start, []
        for segment in line.segments:
            stack += segment.opens
            for mark in stack:
                found[mark.span].update(range(at, at + len(segment.text)))
            at += len(segment.text)
            for mark in segment.closes:
                assert stack.pop() is mark, "marks must close inmost first"
        assert not stack, "a mark stays open at the end of its line"
    return found


@given(texts_with_spans())
def test_the_lines_put_together_are_the_text(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    assert written(highlight(text, spans)) == text


@given(texts_with_spans())
def test_every_span_covers_exactly_its_visible_characters(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    found = covered(highlight(text, spans))
    for span in spans:
        visible = {i for i in range(span.start, span.end) if text[i] not in "\r\n"}
        assert found[span] == visible


@given(texts_with_spans())
def test_a_span_has_one_first_and_one_last_mark(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    marks = [m for ln in highlight(text, spans) for s in ln.segments for m in s.opens]
    for span in spans:
        own = [m for m in marks if m.span is span]
        if own:
            assert [m.first for m in own] == [True] + [False] * (len(own) - 1)
            assert [m.last for m in own] == [False] * (len(own) - 1) + [True]


@given(texts_with_spans())
def test_lines_start_where_they_say(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    for line in highlight(text, spans):
        words = "".join(s.text for s in line.segments)
        assert text[line.start : line.start + len(words)] == words
        assert "\n" not in words
        assert "\r" not in words


def test_nested_spans_are_not_broken() -> None:
    inner, outer = Span(4, 8, 1), Span(0, 12, 2)
    (line,) = highlight("Bank of Oslo", [inner, outer])
    assert [[m.span for m in s.opens] for s in line.segments] == [[outer], [inner], []]
    assert [[m.span for m in s.closes] for s in line.segments] == [[], [inner], [outer]]


def test_crossing_spans_break_the_later_one() -> None:
    left, right = Span(0, 4), Span(2, 6)
    (line,) = highlight("abcdef", [left, right])
    assert [s.text for s in line.segments] == ["ab", "cd", "ef"]
    assert [m.span for m in line.segments[1].closes] == [right, left]
    assert [(m.span, m.first, m.last) for m in line.segments[2].opens] == [(right, False, True)]


def test_a_span_outside_the_text_is_cut_off() -> None:
    (line,) = highlight("abc", [Span(2, 9), Span(7, 9)])
    assert [s.text for s in line.segments] == ["ab", "c"]
    assert len(line.segments[1].opens) == 1

"""Spans as files state them, and their unit: code points, or the UTF-16 units of JavaScript.

The two differ only after a character beyond U+FFFF, such as an emoji. A file's unit is what it
says, or the only one in which every span lies in its text and has the surface that it should.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from annotator.formats.records import FormatError, Record, Suggestion, at_place
from mlworker.schema import Mention

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_PREVIEWS = 3


class Unit(StrEnum):
    CODE_POINT = "code point"
    UTF_16 = "UTF-16"


@dataclass(frozen=True)
class RawSpan:
    """A labelled span as a file states it, nothing checked; `surface` is its text, if given.

    The rest is a suggestion's provenance.
    """

    start: object
    end: object
    label: object
    surface: str | None = None
    source: str = "import"
    model_version: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Draft:
    """A record whose mentions and suggestions are still raw; `unit` is the one its file states."""

    record: Record
    mentions: list[RawSpan]
    suggestions: list[RawSpan]
    unit: Unit | None = None


def read_unit(value: object) -> Unit:
    try:
        return Unit(str(value))
    except ValueError as error:
        raise FormatError(
            f"unknown offset unit {str(value)[:40]!r}",
            remedy=f"Use {' or '.join(repr(str(unit)) for unit in Unit)}.",
        ) from error


def resolve(
    drafts: list[Draft], notes: list[str], offset_unit: str | None = None
) -> Iterator[Record]:
    """The drafts' records, with every span checked against its text."""
    unit = read_unit(offset_unit) if offset_unit else _file_unit(drafts, notes)
    converted: list[str] = []
    for draft in drafts:
        with at_place(draft.record.line, draft.record.item):
            own = draft.unit or unit
            record = _located(draft, own)
        if own is Unit.UTF_16 and _ASTRAL.search(record.text):
            converted += [record.text[m.start : m.end] for m in record.mentions][:_PREVIEWS]
        yield record
    if converted:
        examples = ", ".join(repr(surface) for surface in converted[:_PREVIEWS])
        notes.append(f"UTF-16 offsets converted to code points, such as {examples}")


def _located(draft: Draft, unit: Unit) -> Record:
    text = draft.record.text
    places = _utf_16_places(text) if unit is Unit.UTF_16 else None
    mentions = [_mention(raw, n, text, places) for n, raw in enumerate(draft.mentions, 1)]
    suggestions = [
        _suggestion(raw, _mention(raw, n, text, places))
        for n, raw in enumerate(draft.suggestions, 1)
    ]
    return replace(draft.record, mentions=mentions, suggestions=suggestions)


def _suggestion(raw: RawSpan, at: Mention) -> Suggestion:
    return Suggestion(at.start, at.end, at.label, raw.source, raw.model_version, raw.score)


def _mention(raw: RawSpan, number: int, text: str, places: dict[int, int] | None) -> Mention:
    """The span as a mention; `places` maps UTF-16 offsets to code points."""
    what = f"mention {number} (start {raw.start!r:.20}, end {raw.end!r:.20})"
    start, end = _integer(raw.start, what), _integer(raw.end, what)
    if not isinstance(raw.label, str):
        raise FormatError(f"{what} has no label that is a string")
    if not 0 <= start < end:
        raise FormatError(f"{what} is no span", remedy="Start must be 0 or more and before end.")
    if places is not None:
        if start not in places or end not in places:
            raise FormatError(f"{what} is not in the text, counted in UTF-16 units")
        start, end = places[start], places[end]
    if end > len(text):
        raise FormatError(f"{what} ends after the text, which has {len(text)} characters")
    surface = text[start:end]
    if raw.surface is not None and _visible(raw.surface) != _visible(surface):
        raise FormatError(
            f"{what} is {surface!r:.80} in the text, but the file says {raw.surface!r:.80}",
            remedy="Was the text changed after it was annotated, or are offsets counted in bytes?",
        )
    return Mention(start, end, raw.label)


def _visible(surface: str) -> list[str]:
    """A surface for comparison: Label Studio trims it and writes line breaks as backslash, n."""
    return surface.replace("\\n", "\n").split()


def _integer(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise FormatError(f"{what} needs whole numbers")
    return value


def _utf_16_places(text: str) -> dict[int, int]:
    """Offsets in UTF-16 units to offsets in code points; the middle of a pair has none."""
    places, units = {}, 0
    for index, character in enumerate(text):
        places[units] = index
        units += 2 if character > "\uffff" else 1
    places[units] = len(text)
    return places


def _file_unit(drafts: list[Draft], notes: list[str]) -> Unit:
    """The unit of a file that states none; one file has one unit."""
    possible, ambiguous = set(Unit), []
    for draft in drafts:
        if draft.unit or not _ASTRAL.search(draft.record.text):
            continue
        readings = _readings(draft)
        # Where none fits, reading the spans as code points will say what is wrong.
        possible = possible & readings.keys() or possible
        if len(readings) == 2 and readings[Unit.CODE_POINT] != readings[Unit.UTF_16]:
            ambiguous.append(readings)
    if len(possible) == 2 and ambiguous:
        notes.append(_ambiguity(ambiguous))
    return Unit.UTF_16 if possible == {Unit.UTF_16} else Unit.CODE_POINT


def _readings(draft: Draft) -> dict[Unit, Record]:
    readings = {}
    for unit in Unit:
        try:
            readings[unit] = _located(draft, unit)
        except FormatError:
            continue
    return readings


def _ambiguity(readings: list[dict[Unit, Record]]) -> str:
    """Says how the first span that differs reads either way."""
    chosen, other = readings[0][Unit.CODE_POINT], readings[0][Unit.UTF_16]
    pairs = zip(
        [*chosen.mentions, *chosen.suggestions],
        [*other.mentions, *other.suggestions],
        strict=True,
    )
    here, there = next((a, b) for a, b in pairs if a != b)
    text = chosen.text
    return (
        f"offsets read as code points ({text[here.start : here.end]!r:.80}); {len(readings)} "
        f"documents with emoji read otherwise as UTF-16 ({text[there.start : there.end]!r:.80}): "
        f"if that is right, import again with the offset unit {Unit.UTF_16}"
    )

"""The lines of a CoNLL file as sentences of tagged words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from annotator.formats.decoding import lines
from annotator.formats.records import FormatError
from mlworker.schema import NO_ENTITY

DOCUMENT_START = "-DOCSTART-"
_COMMENT = "# "
_SAMPLE_LINES = 50
_ENOUGH_WORDS = 5
_BLANKS = re.compile(r"[ \t]+")  # and not U+00A0 or the like, which words may hold
_TAG = re.compile(r"([BIESLUM])-(.+)", re.DOTALL)


class Word(NamedTuple):
    """A line of the file; `prefix` is as in its tag, and `label` is empty where that is O."""

    line: int
    token: str
    prefix: str
    label: str


class Sentence(NamedTuple):
    """The words up to a blank line; `opens` says that a document starts with them."""

    words: list[Word]
    opens: bool


@dataclass
class Columns:
    """How lines are cut: as the first line that holds a word is."""

    first_line: int
    tabbed: bool
    width: int
    token: int
    tag: int
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)

    def cut(self, line: str) -> list[str]:
        return line.split("\t") if self.tabbed else _BLANKS.split(line.strip(" \t"))

    def word(self, line: str, number: int) -> Word:
        """Raises `FormatError` where the line is not like the first, or its tag is none."""
        cells = self.cut(line)
        if len(cells) != self.width:
            raise FormatError(
                f"{_columns(len(cells))}, but line {self.first_line} has {self.width}",
                line=number,
                remedy="Give every word as many columns, and leave a blank line between sentences.",
            )
        token, tag = cells[self.token], cells[self.tag]
        if not token:
            raise FormatError(f"no word before the tag {tag!r:.40}", line=number)
        known = self.tags.get(tag)
        if known is None:
            known = self.tags[tag] = _read_tag(tag, number)
        return Word(number, token, *known)


def sentences(
    text: str, token_column: int, tag_column: int, notes: list[str]
) -> Iterator[Sentence]:
    """Cuts a file into sentences; columns count from 0, and from the end if negative."""
    rows = lines(text)
    columns = _find_columns(rows, token_column, tag_column)
    notes.append(f"{_columns(columns.width)} separated by {'tab' if columns.tabbed else 'spaces'}")
    current: list[Word] = []
    opens, comments = False, 0
    for number, line in enumerate(rows, 1):
        ends = not line.strip(" \t") or line.startswith(DOCUMENT_START)
        if ends and current:
            yield Sentence(current, opens)
            current, opens = [], False
        if ends:
            opens = opens or line.startswith(DOCUMENT_START)
        elif not current and _is_comment(line, columns):
            comments += 1
        else:
            current.append(columns.word(line, number))
    if current:
        yield Sentence(current, opens)
    if comments:
        notes.append(f"{comments} comment lines that start with # left out")


def looks_tagged(text: str) -> bool:
    """Whether the first lines are words with tags; prose, too, may end in a capital O."""
    sample = "\n".join(islice(lines(text), _SAMPLE_LINES))
    try:
        found = [word for sentence in sentences(sample, 0, -1, []) for word in sentence.words]
    except FormatError:
        return False
    return len(found) >= _ENOUGH_WORDS or any(word.label for word in found)


def _find_columns(rows: list[str], token_column: int, tag_column: int) -> Columns:
    for number, line in enumerate(rows, 1):
        if line.strip(" \t") and not line.startswith((DOCUMENT_START, _COMMENT)):
            columns = Columns(number, "\t" in line, 0, token_column, tag_column)
            columns.width = len(columns.cut(line))
            _check_width(columns)
            return columns
    raise FormatError("No documents in file")


def _check_width(columns: Columns) -> None:
    width = columns.width
    if width < 2:
        raise FormatError(
            "only one column, where a word and its tag are needed",
            line=columns.first_line,
            remedy="Separate them by a tab or a space.",
        )
    for asked in (columns.token, columns.tag):
        if not -width <= asked < width:
            raise FormatError(f"no column {asked}; there are {width}, counted from 0")


def _is_comment(line: str, columns: Columns) -> bool:
    """A line that starts with "# " and cannot be the word "#" with its tag."""
    if not line.startswith(_COMMENT):
        return False
    try:
        columns.word(line, 0)
    except FormatError:
        return True
    return False


def _read_tag(tag: str, line: int) -> tuple[str, str]:
    if tag == NO_ENTITY:
        return tag, ""
    match = _TAG.fullmatch(tag)
    if not match:
        raise FormatError(
            f"the tag {tag!r:.60} is neither O nor B-, I-, E- or S- with a label",
            line=line,
            remedy="Check the line, and whether the last column of the file holds the tags.",
        )
    return match[1], match[2]


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"

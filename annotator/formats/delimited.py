"""CSV with a header: one document per row, its separator found out; the rest becomes `meta`."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from annotator.formats.records import DOCUMENT_LIMIT, FormatError, Record, listed

TITLE = "CSV or TSV"

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SAMPLE_ROWS = 50

# The module's own limit (131,072) is process-wide; documents have theirs, and it is checked later,
# where the message can say what to do.
csv.field_size_limit(64 * DOCUMENT_LIMIT)


def recognises(suffix: str, text: str) -> bool:  # noqa: ARG001 - as all formats
    return suffix in {".csv", ".tsv"}


def read(
    text: str, *, filename: str, notes: list[str], text_field: str | None = None
) -> Iterator[Record]:
    """`text_field` names the column that holds the text: default `text`, or the only one."""
    separator = _separator(text)
    table = _rows(text, separator)
    header_line, header = next(table)
    columns = _columns(header, header_line)
    at = _text_column(columns, header_line, text_field)
    notes.append(f"columns separated by {_SEPARATORS[separator]}, text in {columns[at]!r}")
    for line, cells in table:
        if len(cells) != len(columns):
            raise FormatError(
                f"{len(cells)} fields where the header has {len(columns)} ({listed(columns)})",
                line=line,
                remedy="Put quotes around a text that contains the separator.",
            )
        meta = dict(zip(columns, cells, strict=True))
        yield Record(meta.pop(columns[at]), line=line, name=f"{filename}:{line}", meta=meta)


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the line on which it starts."""
    # newline="" keeps line breaks inside quotes as they are.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        if "end of data" in str(error):
            problem = "a quote opened in the row that starts here is never closed"
        else:
            problem = f"the row that starts here is broken: {error}"
        raise FormatError(problem, line=start, remedy='Write a quote in a field as "".') from error


def _separator(text: str) -> str:
    """The separator with which most of the first rows have as many fields as the header."""

    def fitting_fields(separator: str) -> int:
        widths: list[int] = []
        with suppress(FormatError):  # the rows before the broken one count
            widths.extend(len(cells) for _, cells in islice(_rows(text, separator), _SAMPLE_ROWS))
        return sum(width for width in widths if width == widths[0] > 1)

    return max(_SEPARATORS, key=fitting_fields)


def _columns(header: list[str], line: int) -> list[str]:
    columns = [name.strip() or f"column {n}" for n, name in enumerate(header, 1)]
    name, times = Counter(columns).most_common(1)[0]
    if times > 1:
        raise FormatError(
            f"{times} columns are called {name!r:.60}", line=line, remedy="Rename one."
        )
    return columns


def _text_column(columns: list[str], line: int, asked: str | None) -> int:
    if asked is None and len(columns) == 1:
        return 0
    folded = [name.casefold() for name in columns]
    name = asked or "text"
    if name in columns:
        return columns.index(name)
    if folded.count(name.casefold()) == 1:
        return folded.index(name.casefold())
    raise FormatError(
        f"no column is called {name!r}; the columns are {listed(columns)}",
        line=line,
        remedy="Name the column that holds the text.",
    )

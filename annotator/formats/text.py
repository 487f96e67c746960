"""Plain text: one document per line, or the whole file."""

from __future__ import annotations

from collections.abc import Iterator

from annotator.formats.decoding import lines
from annotator.formats.records import FormatError, Record

TITLE = "Plain text"


def recognises(suffix: str, text: str) -> bool:  # noqa: ARG001 - as all formats
    """Every text is plain text, so this format is asked last."""
    return True


def read(text: str, *, filename: str, notes: list[str], unit: str = "line") -> Iterator[Record]:
    """`unit` is `line` (blank ones only separate) or `file`."""
    if unit == "file":
        yield Record(text, line=1, name=filename)
        return
    if unit != "line":
        raise FormatError(f"unknown unit {unit!r}", remedy="Use 'line' or 'file'.")
    notes.append("one document per line")
    for number, line in enumerate(lines(text), 1):
        if line.strip():
            yield Record(line, line=number, name=f"{filename}:{number}")

"""Corpus files: bytes to records (`parse`), documents to text (`dump`). No database.

To add a format, write a module with a `TITLE`, `recognises(suffix, text)` and `read(text, *,
filename, notes, **options)`, and `dump(documents, losses)` where it can be written; then add it
to `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from pathlib import PurePath
from typing import Any

from annotator.formats.checks import Tally, checked
from annotator.formats.decoding import decode
from annotator.formats.records import (
    ExportDocument,
    ExportMention,
    FormatError,
    Loss,
    Parsed,
    Record,
    Suggestion,
)

__all__ = [
    "FORMATS",
    "ExportDocument",
    "ExportMention",
    "FormatError",
    "Loss",
    "Parsed",
    "Record",
    "Suggestion",
    "detect",
    "dump",
    "parse",
    "title",
    "written",
]

FORMATS = {  # in the order in which `detect` asks them
    "csv": "annotator.formats.delimited",
    "labelstudio": "annotator.formats.labelstudio",
    "jsonl": "annotator.formats.jsonl",
    "conll": "annotator.formats.conll",
    "text": "annotator.formats.text",
}

_SHOWN_NAME = 120
"""Characters of a file's name that go into the names of its documents."""


def parse(
    name: str,
    data: bytes,
    *,
    filename: str,
    labels: Collection[str] | None = None,
    **options: Any,
) -> Parsed:
    """Reads a whole file, or raises `FormatError` where any of it is wrong.

    `labels` are the only ones allowed, None allows all; `options` are the format's (its `read`).
    """
    tally = Tally()
    try:
        text, notes = decode(data)
        _refuse_blank(text)
        read = _module(name).read(text, filename=filename[-_SHOWN_NAME:], notes=notes, **options)
        records = list(checked(read, labels, tally))
        if not records:
            _refuse_blank("")
    except FormatError as error:
        error.filename = filename
        error.remedy = error.remedy or "Correct it and import the file again."
        raise
    return Parsed(records, notes + tally.notes(), dict(tally.labels))


def detect(filename: str, data: bytes) -> str:
    """The name of the format that a file is most likely in; raises `FormatError` for no text."""
    try:
        text, _ = decode(data)
        _refuse_blank(text)
    except FormatError as error:
        error.filename = filename
        raise
    suffix = PurePath(filename).suffix.lower()
    return next(name for name in FORMATS if _module(name).recognises(suffix, text))


def dump(name: str, documents: Iterable[ExportDocument], losses: list[Loss]) -> Iterator[str]:
    """The file piece by piece; adds to `losses`, on the way, what the format cannot carry."""
    if name not in written():
        raise FormatError(f"no export format {name!r}", remedy=f"Use {', '.join(written())}.")
    pieces: Iterator[str] = _module(name).dump(documents, losses)
    return pieces


def title(name: str) -> str:
    """What the format is called on a page."""
    return str(_module(name).TITLE)


def written() -> list[str]:
    """The names of the formats that `dump` can write."""
    return [name for name in FORMATS if hasattr(_module(name), "dump")]


def _module(name: str) -> Any:
    if name not in FORMATS:
        raise FormatError(f"no format {name!r}", remedy=f"Use one of {', '.join(FORMATS)}.")
    return import_module(FORMATS[name])


def _refuse_blank(text: str) -> None:
    if not text.strip():
        raise FormatError("No documents in file", remedy="Choose a file that holds text.")

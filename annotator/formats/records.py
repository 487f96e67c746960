"""What travels between a file's bytes and the database, and the one error of an unreadable file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mlworker.schema import Mention

DOCUMENT_LIMIT = 1_000_000
"""Characters a document may have: what an annotation page can still show."""

LABEL_LIMIT = 64
NAME_LIMIT = 200


class FormatError(Exception):
    """A file that cannot be read: what is wrong, where, and what to do about it.

    `str()` reads `corpus.conll, line 12: 3 columns where the lines before have 2. Remedy.`
    """

    def __init__(
        self, message: str, filename: str = "", line: int = 0, remedy: str = "", item: int = 0
    ) -> None:
        super().__init__(message, filename, line, remedy, item)
        self.message, self.remedy = message, remedy
        self.filename, self.line, self.item = filename, line, item

    def __str__(self) -> str:
        place = [self.filename] if self.filename else []
        place += [f"line {self.line}"] if self.line else []
        place += [f"document {self.item}"] if self.item else []
        said = f"{', '.join(place)}: {self.message}" if place else self.message
        return f"{said}. {self.remedy}".rstrip()


@contextmanager
def at_place(line: int, item: int = 0) -> Iterator[None]:
    """Gives a `FormatError` raised in the block its line, where it has none yet."""
    try:
        yield
    except FormatError as error:
        if not error.line:
            error.line, error.item = line, item
        raise


def listed(names: Collection[str], limit: int = 20) -> str:
    """Names for a message, not more than fit one."""
    shown = ", ".join(f"{name:.40}" for name in islice(names, limit)) or "none"
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


@dataclass(frozen=True)
class Suggestion(Mention):
    """A mention nobody has settled: a model's, or one on which annotators differ.

    `score` is its maker's own confidence, 0…1, higher is surer.
    """

    source: str = "import"
    model_version: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Record:
    """One document of a file; `text` is stored exactly as received.

    `annotated` tells "has no mentions" from "nobody has looked": a record that is not annotated
    must never become gold. `tokens` are the words' spans where the file came tokenised; each line
    (split at LF) of such a text is one sentence. `item` counts the elements of a JSON array from
    1, and is 0 where `line` alone says which document it is.
    """

    text: str
    line: int
    name: str
    tokens: list[tuple[int, int]] | None = None
    mentions: list[Mention] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)
    annotated: bool = False
    meta: dict[str, Any] = field(default_factory=dict)
    item: int = 0


@dataclass(frozen=True)
class Parsed:
    """A file's records, what was recognised or converted, and how often each label occurs."""

    records: list[Record]
    notes: list[str]
    labels: dict[str, int]


@dataclass(frozen=True)
class ExportMention(Mention):
    """A mention with its provenance.

    `source` is who made it (local, llm, sweep: the LLM reading the sentence, person, import);
    `right` is how probably it is right, as spans that people checked tell; `decided_by` and
    `decided_at` (ISO 8601) tell who settled it, and are empty where nobody has.
    """

    source: str = ""
    model_version: str = ""
    uncertainty: float | None = None
    right: float | None = None
    routing: str = ""
    llm_label: str = ""
    decided_by: str = ""
    decided_at: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class ExportDocument:
    """`gold` says that the mentions are adjudicated, also where there are none."""

    id: int
    name: str
    text: str
    gold: bool
    mentions: list[ExportMention]
    tokens: list[tuple[int, int]] | None = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Loss:
    """A mention that a format could not carry, and why."""

    document: str
    mention: Mention
    reason: str

    def __str__(self) -> str:
        span = self.mention
        return f"{self.document}: {span.label} [{span.start}, {span.end}) {self.reason}"

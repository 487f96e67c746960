"""What every record must satisfy, whatever its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from annotator.formats.records import (
    DOCUMENT_LIMIT,
    LABEL_LIMIT,
    FormatError,
    Record,
    at_place,
    listed,
)
from mlworker.schema import NO_ENTITY, Mention

_M = TypeVar("_M", bound=Mention)


@dataclass
class Tally:
    """What `checked` counts while it goes through a file."""

    labels: Counter[str] = field(default_factory=Counter)
    blank: int = 0
    merged: int = 0
    overlapping: int = 0

    def notes(self) -> list[str]:
        counted = {
            "documents without text left out": self.blank,
            "mentions that were given twice merged": self.merged,
            "mentions that overlap another kept": self.overlapping,
        }
        notes = [f"{count} {what}" for what, count in counted.items() if count]
        folded: dict[str, str] = {}
        for label in self.labels:
            twin = folded.setdefault(label.casefold(), label)
            if twin != label:
                notes.append(f"the labels {twin!r} and {label!r} differ only in their case")
        return notes


def checked(
    records: Iterable[Record], labels: Collection[str] | None, tally: Tally
) -> Iterator[Record]:
    """The records with exact duplicates merged and mentions in order; raises `FormatError`.

    `labels` are the only ones allowed; None allows all.
    """
    for record in records:
        with at_place(record.line, record.item):
            _check_size(record)
            for mention in [*record.mentions, *record.suggestions]:
                _check_label(mention.label, tally.labels, labels)
                tally.labels[mention.label] += 1
        if not record.text.strip() and not record.mentions:
            tally.blank += 1
            continue
        yield replace(
            record,
            mentions=_in_order(record.mentions, tally),
            suggestions=_in_order(record.suggestions, tally),
        )


def _check_size(record: Record) -> None:
    if len(record.text) > DOCUMENT_LIMIT:
        raise FormatError(
            f"the document has {len(record.text):,} characters; limit 1 MB",
            remedy="Split it into smaller documents.",
        )


def _check_label(label: str, known: Collection[str], labels: Collection[str] | None) -> None:
    if label in known:  # checked when it was first seen
        return
    if not label.strip():
        raise FormatError("a mention has an empty label")
    if len(label) > LABEL_LIMIT:
        raise FormatError(f"the label {label[:20]!r}… has over {LABEL_LIMIT} characters")
    if label == NO_ENTITY:
        raise FormatError(f"the label {NO_ENTITY!r} means 'no entity'", remedy="Leave it out.")
    if label != label.strip() or len(label.splitlines()) > 1 or "\t" in label:
        raise FormatError(f"the label {label!r} has white space where it cannot stay")
    if labels is not None and label not in labels:
        raise FormatError(
            f"unknown label {label!r}; this project has {listed(labels)}",
            remedy="Rename it in the file, or make a project that has it.",
        )


def _in_order(mentions: list[_M], tally: Tally) -> list[_M]:
    unique = sorted(set(mentions), key=lambda m: (m.start, m.end, m.label))
    tally.merged += len(mentions) - len(unique)
    reach = 0
    for mention in unique:
        tally.overlapping += mention.start < reach
        reach = max(reach, mention.end)
    return unique

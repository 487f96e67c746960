"""Files come in: records become documents, all of them or none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import islice

from django.conf import settings
from django.db import transaction

from mlworker import schema

from . import formats, gold
from .formats.records import FormatError, Parsed, Record
from .models import Document, Import, Label, Mention, Project, User

BATCH = 500
Tell = Callable[[int, int], object]


class Duplicate(Exception):
    """This very file is already here."""

    def __init__(self, earlier: Import) -> None:
        super().__init__(
            f"This file is already here: it came in as {earlier.filename} on "
            f"{earlier.created_at:%Y-%m-%d %H:%M} with {earlier.documents_count} documents."
        )
        self.earlier = earlier


def import_file(  # noqa: PLR0913  (each is an answer on the upload page)
    project: Project,
    *,
    filename: str,
    data: bytes,
    format: str | None = None,
    gold: bool = False,
    split: str = Document.Split.NONE,
    user: User | None = None,
    text_column: str | None = None,
    tell: Tell | None = None,
) -> Import:
    """Reads a whole file and stores its documents in one transaction.

    With `gold` the mentions in the file are gold; without it they are suggestions that people
    check. Raises `FormatError` (file, line, remedy) or `Duplicate`; then nothing was stored.
    """
    if len(data) > settings.UPLOAD_LIMIT:
        limit = f"{settings.UPLOAD_LIMIT // 1_000_000} MB"
        raise FormatError(f"the file is larger than {limit}", filename, remedy="Split it.")
    sha256 = hashlib.sha256(data).hexdigest()
    _refuse_twice(project, sha256)
    name = format or formats.detect(filename, data)
    labels = {label.name: label for label in project.labels.all()}
    parsed = formats.parse(
        name, data, filename=filename, labels=labels, **_options(name, text_column)
    )
    _check_gold(parsed, filename, gold)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        _refuse_twice(project, sha256)
        source = Import.objects.create(
            project=project,
            filename=filename[-255:],
            sha256=sha256,
            format=name,
            documents_count=len(parsed.records),
            notes=parsed.notes,
            created_by=user,
        )
        _store(source, parsed.records, labels, is_gold=gold, split=split, tell=tell)
    return source


def _options(format: str, text_column: str | None) -> dict[str, str]:
    return {"text_field": text_column} if text_column and format == "csv" else {}


def _refuse_twice(project: Project, sha256: str) -> None:
    earlier = Import.objects.filter(project=project, sha256=sha256).first()
    if earlier is not None:
        raise Duplicate(earlier)


def _check_gold(parsed: Parsed, filename: str, is_gold: bool) -> None:
    """Gold means that somebody looked: a text without any annotation field is not gold."""
    unseen = next((r for r in parsed.records if not r.annotated), None)
    if is_gold and unseen is not None:
        raise FormatError(
            "this document carries no annotation, so it cannot be gold",
            filename,
            unseen.line,
            "Import it without the gold option, or add its (possibly empty) list of mentions.",
            unseen.item,
        )


def _store(
    source: Import,
    records: list[Record],
    labels: dict[str, Label],
    *,
    is_gold: bool,
    split: str,
    tell: Tell | None,
) -> None:
    rest, done = iter(records), 0
    while batch := list(islice(rest, BATCH)):
        documents = [_document(source, record, is_gold, split) for record in batch]
        Document.objects.bulk_create(documents)
        mentions = (
            _mention(document, mention, labels, is_gold)
            for document, record in zip(documents, batch, strict=True)
            for mention in _distinct(record, is_gold)
        )
        Mention.objects.bulk_create(mentions, batch_size=2000)
        done += len(batch)
        if tell is not None:
            tell(done, len(records))


def _distinct(record: Record, is_gold: bool) -> Iterable[schema.Mention]:
    """The record's mentions, and its suggestions where these may still be checked."""
    given = [*record.mentions, *([] if is_gold else record.suggestions)]
    return {(m.start, m.end, m.label): m for m in reversed(given)}.values()


def _document(source: Import, record: Record, is_gold: bool, split: str) -> Document:
    document = Document.of(
        source.project,
        schema.Text(0, record.text, record.tokens),
        source=source,
        name=record.name[:255],
        meta=record.meta,
        split=split,
    )
    waiting = [] if is_gold else [*record.mentions, *record.suggestions]
    if is_gold:
        document.status = Document.Status.GOLD
        if split == Document.Split.NONE:
            document.split = gold.split_of(document.sha256)
    elif waiting:
        document.status = Document.Status.TAGGED
        document.needs_count = len({(m.start, m.end, m.label) for m in waiting})
        document.priority = document.needs_count
    return document


def _mention(
    document: Document, mention: schema.Mention, labels: dict[str, Label], is_gold: bool
) -> Mention:
    made = Mention(
        document=document,
        start=mention.start,
        end=mention.end,
        label=labels[mention.label],
        state=Mention.State.ACCEPTED if is_gold else Mention.State.SUGGESTED,
        source=Mention.Source.IMPORT,
        needs_person=not is_gold,
        reason="" if is_gold else "It came with the file; nobody has checked it here.",
    )
    made.take_form(document.text)
    return made

"""JSON lines: this project's own export, and the shapes of doccano and Prodigy.

A row is `{"text": …}` with spans under `mentions` (own), `spans` (Prodigy), `label` or `labels`
(doccano: `[start, end, label]`) or `entities` (doccano: `start_offset`, `end_offset`). Every
other key becomes `meta`. Rows of Label Studio are handed to its own module.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from annotator.formats import labelstudio
from annotator.formats.offsets import Draft, RawSpan, Unit, read_unit, resolve
from annotator.formats.records import (
    ExportDocument,
    ExportMention,
    FormatError,
    Loss,
    Record,
    at_place,
)
from annotator.formats.strict_json import (
    Row,
    expect,
    first_row,
    is_array,
    is_number,
    pop_name,
    rows,
    text_of,
    type_name,
)
from annotator.formats.words import pop_tokens

TITLE = "JSON Lines"

_SPAN_KEYS = ("mentions", "spans", "label", "labels", "entities")
# Line breaks to programs that split lines as Python's splitlines() does.
_LINE_BREAKS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"})


def recognises(suffix: str, text: str) -> bool:
    return suffix in {".jsonl", ".ndjson", ".json"} or first_row(text) is not None


def read(
    text: str,
    *,
    filename: str,
    notes: list[str],
    text_field: str = "text",
    offset_unit: str | None = None,
) -> Iterator[Record]:
    """`offset_unit` (`code point` or `UTF-16`) overrules what is found out."""
    if is_array(text):
        notes.append("read as a JSON array")
    table = list(rows(text))
    if any(labelstudio.is_task(row.value) for row in table):
        drafts = labelstudio.drafts(table, filename, notes, text_field)
    else:
        drafts = _drafts(table, filename, notes, text_field)
    yield from resolve(drafts, notes, offset_unit)


def _drafts(table: list[Row], filename: str, notes: list[str], text_field: str) -> list[Draft]:
    seen: Counter[str] = Counter()
    drafts = []
    for row in table:
        with at_place(row.line, row.item):
            drafts.append(_draft(row, filename, text_field, seen))
    notes += [f"{count} {what}" for what, count in seen.items()]
    return drafts


def _draft(row: Row, filename: str, text_field: str, seen: Counter[str]) -> Draft:
    rest = dict(row.value)
    text = text_of(rest, text_field)
    del rest[text_field]
    spans, annotated = _pop_spans(rest, seen)
    unit = read_unit(rest.pop("offset_unit")) if "offset_unit" in rest else None
    settled = True
    if unit:  # our own export
        rest.pop("id", None)  # of the database it came from
        settled = expect(bool, rest.pop("gold", True), "'gold'")
    if rest.get("answer") in ("reject", "ignore"):  # Prodigy's
        seen["documents answered 'reject' or 'ignore'; taken without their spans"] += 1
        spans, annotated = [], False
    if spans and not settled:
        seen["documents are not gold; their mentions are only suggestions"] += 1
    record = Record(
        text,
        line=row.line,
        item=row.item,
        name=pop_name(rest) or f"{filename}:{row.item or row.line}",
        annotated=annotated and settled,
        tokens=pop_tokens(rest, text),
        meta=_meta(rest),
    )
    return Draft(record, spans if settled else [], [] if settled else spans, unit)


def _pop_spans(rest: dict[str, Any], seen: Counter[str]) -> tuple[list[RawSpan], bool]:
    """The row's spans, and whether it has any key for them."""
    given = {key: rest.pop(key) for key in _SPAN_KEYS if key in rest}
    given = {key: value for key, value in given.items() if value is not None}
    filled = [key for key, value in given.items() if value != []]
    if len(filled) > 1:
        raise FormatError(f"spans under both {filled[0]!r} and {filled[1]!r}", remedy="Keep one.")
    if not filled:
        return [], bool(given)
    key = filled[0]
    if not isinstance(given[key], list):
        raise FormatError(
            f"{key!r} is {type_name(given[key])}, not a list of spans",
            remedy="A label for the whole document cannot be used: rename or remove the key.",
        )
    seen[f"documents with spans under {key!r}"] += 1
    return [_raw_span(span, key) for span in given[key]], True


def _raw_span(span: object, key: str) -> RawSpan:
    if isinstance(span, list):
        if len(span) != 3:
            raise FormatError(f"a span under {key!r} is not [start, end, label]")
        return RawSpan(*span)
    fields = expect(dict, span, f"a span under {key!r}")
    surface, score = fields.get("text"), fields.get("uncertainty")
    return RawSpan(
        fields.get("start", fields.get("start_offset")),
        fields.get("end", fields.get("end_offset")),
        fields.get("label"),
        surface=surface if isinstance(surface, str) else None,
        source=str(fields.get("source") or "import"),
        model_version=str(fields.get("model_version") or ""),
        score=1 - score if is_number(score) else None,
    )


def _meta(rest: dict[str, Any]) -> dict[str, Any]:
    meta = rest.get("meta")
    if not isinstance(meta, dict):
        return rest
    return {**meta, **{key: value for key, value in rest.items() if key != "meta"}}


def dump(
    documents: Iterable[ExportDocument],
    losses: list[Loss],  # noqa: ARG001 - as all formats
) -> Iterator[str]:
    """One line per document; nothing is lost."""
    for document in documents:
        row: dict[str, Any] = {
            "id": document.id,
            "name": document.name,
            "text": document.text,
            "gold": document.gold,
            "offset_unit": str(Unit.CODE_POINT),
            "mentions": [_mention_row(mention, document.text) for mention in document.mentions],
            "meta": document.meta,
        }
        if document.tokens is not None:
            row["tokens"] = document.tokens
        line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        yield line.translate(_LINE_BREAKS) + "\n"


def _mention_row(mention: ExportMention, text: str) -> dict[str, Any]:
    row = mention.to_json()
    start, end, label = row.pop("start"), row.pop("end"), row.pop("label")
    return {"start": start, "end": end, "label": label, "text": text[start:end], **row}

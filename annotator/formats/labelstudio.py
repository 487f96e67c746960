"""Label Studio JSON: tasks with annotations and predictions, and the flat JSON_MIN."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from annotator.formats.offsets import Draft, RawSpan, resolve
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
    is_number,
    pop_name,
    rows,
    text_of,
)
from annotator.formats.words import pop_tokens

TITLE = "Label Studio JSON"

_JSON_MIN_KEYS = ("annotation_id", "annotator", "lead_time", "created_at", "updated_at")


@dataclass
class Task:
    """A task in either shape; `annotations` has one list of spans per annotator."""

    row: Row
    id: object
    data: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)
    annotations: list[list[RawSpan]] = field(default_factory=list)
    predictions: list[RawSpan] = field(default_factory=list)


def recognises(suffix: str, text: str) -> bool:  # noqa: ARG001 - as all formats
    row = first_row(text)
    return row is not None and is_task(row)


def is_task(row: dict[str, Any]) -> bool:
    return isinstance(row.get("data"), dict) or "annotation_id" in row


def read(
    text: str,
    *,
    filename: str,
    notes: list[str],
    text_field: str = "text",
    offset_unit: str | None = None,
) -> Iterator[Record]:
    """`text_field` is the key of `data` that the labelling config calls `$text`."""
    yield from resolve(drafts(list(rows(text)), filename, notes, text_field), notes, offset_unit)


def drafts(table: list[Row], filename: str, notes: list[str], text_field: str) -> list[Draft]:
    """A draft per task. Where annotators differ and none is marked as ground truth, all that any
    of them marked is a suggestion: it is not for an importer to take sides."""
    seen: Counter[str] = Counter()
    tasks: dict[object, Task] = {}
    for row in table:
        with at_place(row.line, row.item):
            if "data" in row.value:
                tasks[len(tasks)] = _task(row, seen)
            else:
                _add_flat(tasks, row, text_field, seen)
    result = []
    for task in tasks.values():
        with at_place(task.row.line, task.row.item):
            result.append(_draft(task, filename, text_field, seen))
    notes += [f"{count} {what}" for what, count in seen.items() if count]
    return result


def _task(row: Row, seen: Counter[str]) -> Task:
    value = row.value
    task = Task(row, value.get("id"), expect(dict, value["data"], "'data'"))
    task.meta = expect(dict, value.get("meta") or {}, "'meta'")
    annotations = [a for a in _objects(value, "annotations", seen) if not _cancelled(a, seen)]
    chosen = [a for a in annotations if a.get("ground_truth") is True] or annotations
    task.annotations = [_spans(a, seen) for a in chosen]
    for prediction in _objects(value, "predictions", seen):
        task.predictions += _spans(prediction, seen)
    return task


def _objects(value: dict[str, Any], key: str, seen: Counter[str]) -> list[dict[str, Any]]:
    given = expect(list, value.get(key) or [], repr(key))
    objects = [each for each in given if isinstance(each, dict)]
    if len(objects) < len(given):
        seen[f"{key} given by number only left out"] += len(given) - len(objects)
    return objects


def _cancelled(annotation: dict[str, Any], seen: Counter[str]) -> bool:
    cancelled = annotation.get("was_cancelled") is True
    seen["cancelled annotations left out"] += cancelled
    return cancelled


def _spans(annotation: dict[str, Any], seen: Counter[str]) -> list[RawSpan]:
    spans = []
    for result in expect(list, annotation.get("result") or [], "'result'"):
        kind = expect(dict, result, "a result").get("type", "labels")
        if kind == "hypertextlabels":
            raise _hypertext()
        if kind != "labels":
            seen[f"results of type {str(kind)[:40]!r} left out"] += 1
            continue
        score = result.get("score", annotation.get("score"))
        spans += _regions(
            expect(dict, result.get("value"), "a result's 'value'"),
            seen,
            model_version=str(annotation.get("model_version") or ""),
            score=score if is_number(score) else None,
        )
    return spans


def _regions(
    value: dict[str, Any], seen: Counter[str], model_version: str = "", score: float | None = None
) -> list[RawSpan]:
    """A region's spans, one per label."""
    if "startOffset" in value or isinstance(value.get("start"), str):
        raise _hypertext()
    labels = expect(list, value.get("labels") or [], "'labels'")
    seen["regions without a label left out"] += not labels
    surface = value.get("text")
    return [
        RawSpan(
            value.get("start"),
            value.get("end"),
            label,
            surface=surface if isinstance(surface, str) else None,
            model_version=model_version,
            score=score,
        )
        for label in labels
    ]


def _hypertext() -> FormatError:
    return FormatError(
        "HyperText results count from HTML elements, not from the text",
        remedy="Export the project with a Text tag instead of HyperText.",
    )


def _add_flat(tasks: dict[object, Task], row: Row, text_field: str, seen: Counter[str]) -> None:
    """Adds a JSON_MIN row, one annotation; rows with the same id are the same task."""
    data = {key: value for key, value in row.value.items() if key not in _JSON_MIN_KEYS}
    identity = data.pop("id", None)
    spans: list[RawSpan] = []
    for key in [key for key, value in data.items() if _is_regions(value)]:
        for region in data.pop(key):
            spans += _regions(region, seen)
    same = None if identity is None else (str(identity), text_of(data, text_field))
    task = tasks.setdefault(same or len(tasks), Task(row, identity, data))
    task.annotations.append(spans)


def _is_regions(value: object) -> bool:
    """A list of regions; a region always has a start."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and ("start" in each) for each in value)
    )


def _draft(task: Task, filename: str, text_field: str, seen: Counter[str]) -> Draft:
    rest = dict(task.data)
    text = text_of(rest, text_field)
    del rest[text_field]
    distinct = {frozenset(_key(span) for span in spans) for spans in task.annotations}
    settled = len(distinct) == 1
    if len(distinct) > 1:
        seen["documents on which annotators differ; their mentions are only suggestions"] += 1
    number = task.id if task.id is not None else task.row.item or task.row.line
    record = Record(
        text,
        line=task.row.line,
        item=task.row.item,
        name=pop_name(rest) or f"{filename}:{number!s:.40}",
        annotated=settled,
        tokens=pop_tokens(rest, text),
        meta={**task.meta, **rest},
    )
    mentions = task.annotations[0] if settled else []
    disputed = [] if settled else [span for spans in task.annotations for span in spans]
    return Draft(record, mentions, disputed + task.predictions)


def _key(span: RawSpan) -> tuple[str, str, str]:
    return str(span.start), str(span.end), str(span.label)


def dump(
    documents: Iterable[ExportDocument],
    losses: list[Loss],  # noqa: ARG001 - as all formats
) -> Iterator[str]:
    """Tasks: an annotation for what is gold, else a prediction per model version.

    Fits the labelling config `<Labels name="label" toName="text">` over `<Text name="text"
    value="$text">`. Of a mention's provenance, model version and score are all it can hold.
    """
    before = "[\n"
    for document in documents:
        yield before + json.dumps(_task_row(document), ensure_ascii=False, allow_nan=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _task_row(document: ExportDocument) -> dict[str, Any]:
    data: dict[str, Any] = {"text": document.text, "name": document.name}
    if document.tokens is not None:
        data["tokens"] = document.tokens
    versions: dict[str, list[ExportMention]] = {}
    for mention in document.mentions:
        versions.setdefault(mention.model_version or mention.source, []).append(mention)
    annotation = {
        "was_cancelled": False,
        "ground_truth": True,
        "result": [_result(mention, document) for mention in document.mentions],
    }
    predictions = [
        _prediction(version, mentions, document) for version, mentions in versions.items()
    ]
    return {
        "id": document.id,
        "data": data,
        "annotations": [annotation] if document.gold else [],
        "predictions": [] if document.gold else predictions,
        "meta": document.meta,
    }


def _prediction(
    version: str, mentions: list[ExportMention], document: ExportDocument
) -> dict[str, Any]:
    """Scored as its least sure mention, so that Label Studio can put doubtful tasks first."""
    scores = [score for score in map(_score, mentions) if score is not None]
    return {
        "model_version": version,
        "score": min(scores, default=None),
        "result": [_result(mention, document) for mention in mentions],
    }


def _score(mention: ExportMention) -> float | None:
    if mention.right is not None:
        return mention.right
    return None if mention.uncertainty is None else round(1 - mention.uncertainty, 6)


def _result(mention: ExportMention, document: ExportDocument) -> dict[str, Any]:
    result = {
        "id": f"{document.id}-{mention.start}-{mention.end}-{mention.label}",
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {
            "start": mention.start,
            "end": mention.end,
            "text": document.text[mention.start : mention.end],
            "labels": [mention.label],
        },
    }
    score = _score(mention)
    return result if score is None else {**result, "score": score}

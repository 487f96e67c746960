"""Label Studio JSON and JSON_MIN. Export is in test_round_trips."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from annotator import formats
from annotator.formats import Parsed, Suggestion
from mlworker.schema import Mention

Refusal = Callable[..., str]

TEXT = "😀 Ana Lee joined EU ."
PER = {"start": 2, "end": 9, "text": "Ana Lee", "labels": ["PER"]}
ORG = {"start": 17, "end": 19, "text": "EU", "labels": ["ORG"]}


def annotation(*values: dict[str, Any], **more: Any) -> dict[str, Any]:
    results = [
        {"id": "r", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
        for value in values
    ]
    return {"completed_by": 1, "was_cancelled": False, "result": results, **more}


def task(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 12, "data": {"text": TEXT}, "annotations": list(annotations), **more}


def parse(*rows: dict[str, Any], **options: Any) -> Parsed:
    return formats.parse("labelstudio", json.dumps(rows).encode(), filename="ls.json", **options)


def test_a_task_becomes_a_document_with_mentions_and_suggestions() -> None:
    prediction = annotation(ORG, model_version="spanner-7", score=0.71)
    record = parse(task(annotation(PER), predictions=[prediction])).records[0]
    assert record.text == TEXT
    assert record.name == "ls.json:12"
    assert record.annotated
    assert record.mentions == [Mention(2, 9, "PER")]
    assert record.suggestions == [Suggestion(17, 19, "ORG", "import", "spanner-7", 0.71)]


def test_other_data_is_kept() -> None:
    row = {"data": {"text": TEXT, "name": "post", "url": "x"}, "meta": {"split": "dev"}}
    record = parse(row).records[0]
    assert record.name == "post"
    assert record.meta == {"split": "dev", "url": "x"}


def test_the_key_of_the_text_can_be_named_and_a_missing_one_is_refused(refusal: Refusal) -> None:
    row = {"data": {"body": "Ana"}}
    assert parse(row, text_field="body").records[0].text == "Ana"
    assert "there is no 'text'; the keys are body" in refusal("labelstudio", json.dumps([row]))


def test_a_task_without_annotations_is_not_annotated_and_an_empty_one_is() -> None:
    records = parse(task(), task(annotation())).records
    assert [record.annotated for record in records] == [False, True]


def test_cancelled_annotations_are_left_out_and_noted() -> None:
    parsed = parse(task(annotation(PER, was_cancelled=True)))
    assert not parsed.records[0].annotated
    assert parsed.records[0].mentions == []
    assert "1 cancelled annotations left out" in parsed.notes


def test_annotators_who_agree_settle_a_document() -> None:
    record = parse(task(annotation(PER, ORG), annotation(ORG, PER))).records[0]
    assert record.annotated
    assert len(record.mentions) == 2


def test_annotators_who_differ_only_suggest() -> None:
    parsed = parse(task(annotation(PER, ORG), annotation(PER)))
    assert not parsed.records[0].annotated
    assert parsed.records[0].mentions == []
    assert [s.label for s in parsed.records[0].suggestions] == ["PER", "ORG"]
    note = "1 documents on which annotators differ; their mentions are only suggestions"
    assert note in parsed.notes


def test_ground_truth_settles_what_annotators_differ_on() -> None:
    record = parse(task(annotation(PER), annotation(ORG, ground_truth=True))).records[0]
    assert record.mentions == [Mention(17, 19, "ORG")]
    assert record.annotated


def test_a_region_with_two_labels_is_two_mentions_and_one_without_is_noted() -> None:
    parsed = parse(task(annotation({**PER, "labels": ["A", "B"]}, {**ORG, "labels": []})))
    assert [m.label for m in parsed.records[0].mentions] == ["A", "B"]
    assert "1 regions without a label left out" in parsed.notes


def test_results_of_other_types_are_left_out_and_noted() -> None:
    other = annotation(PER)
    other["result"].append({"type": "choices", "value": {"choices": ["good"]}})
    parsed = parse(task(other))
    assert len(parsed.records[0].mentions) == 1
    assert "1 results of type 'choices' left out" in parsed.notes


@pytest.mark.parametrize(
    "result",
    [
        {"type": "hypertextlabels", "value": {"start": "/p[1]/text()[1]", "labels": ["PER"]}},
        {"type": "labels", "value": {"start": "/p[1]", "startOffset": 0, "labels": ["PER"]}},
    ],
)
def test_hypertext_is_refused(result: dict[str, Any], refusal: Refusal) -> None:
    row = task({"result": [result]})
    assert "HyperText results count from HTML" in refusal("labelstudio", json.dumps([row]))


def test_a_trimmed_surface_is_the_same_surface() -> None:
    row = {"data": {"text": "Ana \nLee "}}
    value = {"start": 0, "end": 9, "text": "Ana \\nLee", "labels": ["PER"]}
    record = parse({**row, "annotations": [annotation(value)]}).records[0]
    assert record.mentions == [Mention(0, 9, "PER")]


def test_a_surface_that_is_elsewhere_is_refused_with_the_task(refusal: Refusal) -> None:
    rows = [task(), task(annotation({**PER, "start": 3}))]
    message = refusal("labelstudio", json.dumps(rows), filename="ls.json")
    assert message.startswith("ls.json, line 1, document 2: mention 1 (start 3, end 9) is 'na Lee'")
    assert "the file says 'Ana Lee'" in message


def test_an_old_export_in_utf_16_is_converted_by_its_surfaces() -> None:
    parsed = parse(task(annotation({**PER, "start": 3, "end": 10})))
    assert parsed.records[0].mentions == [Mention(2, 9, "PER")]
    assert "UTF-16 offsets converted to code points, such as 'Ana Lee'" in parsed.notes


def test_predictions_given_by_number_are_noted() -> None:
    parsed = parse(task(annotation(PER), predictions=[4, 5]))
    assert "2 predictions given by number only left out" in parsed.notes


def test_a_score_too_large_for_a_float_is_kept_as_it_is() -> None:
    parsed = parse(task(predictions=[{**annotation(PER), "score": 10**400}]))
    assert parsed.records[0].suggestions[0].score == 10**400


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"data": "Ana"}, "'data' is a string, not an object"),
        ({"data": {"text": 3}}, "'text' is a number, not a string"),
        ({**task(), "annotations": {}, "predictions": "x"}, "'predictions' is a string"),
        (task({"result": {"a": 1}}), "'result' is an object, not a list"),
        (task({"result": ["a"]}), "a result is a string, not an object"),
        (task({"result": [{"type": "labels"}]}), "'value' is null, not an object"),
        (task(annotation({**PER, "labels": "PER"})), "'labels' is a string, not a list"),
        (task(annotation({**PER, "labels": [7]})), "has no label that is a string"),
        (task(annotation({**PER, "end": None})), "needs whole numbers"),
        (task(annotation({**PER, "end": 400})), "ends after the text"),
        ({"text": "Ana", "annotation_id": 1, "id": 3, "label": [{"start": 0}]}, "whole numbers"),
    ],
)
def test_a_broken_task_is_refused(row: dict[str, Any], problem: str, refusal: Refusal) -> None:
    if "label" in row:
        row["label"] = [{"start": 0, "end": None, "labels": ["PER"]}]
    message = refusal("labelstudio", json.dumps([row]))
    assert problem in message
    assert "line 1, document 1" in message


# --- JSON_MIN -----------------------------------------------------------------------------------


def flat(number: int, *regions: dict[str, Any], **more: Any) -> dict[str, Any]:
    row = {"id": number, "text": TEXT, "label": list(regions), "annotator": 1, "annotation_id": 2}
    return {**row, "lead_time": 4.2, **more}


def test_json_min_is_read() -> None:
    records = parse(flat(1, PER, ORG, url="x"), flat(2)).records
    assert records[0].mentions == [Mention(2, 9, "PER"), Mention(17, 19, "ORG")]
    assert records[0].meta == {"url": "x"}
    assert [record.annotated for record in records] == [True, True]
    assert [record.name for record in records] == ["ls.json:1", "ls.json:2"]


def test_json_min_rows_of_one_task_are_one_document() -> None:
    records = parse(flat(1, PER), flat(1, PER, annotation_id=3), flat(2, PER), flat(2, ORG)).records
    assert [record.annotated for record in records] == [True, False]
    assert len(records[1].suggestions) == 2


def test_json_min_in_lines_is_recognised() -> None:
    data = "\n".join(json.dumps(row) for row in (flat(1), flat(2, PER))).encode()
    records = formats.parse("jsonl", data, filename="x.jsonl").records
    assert records[1].mentions == [Mention(2, 9, "PER")]

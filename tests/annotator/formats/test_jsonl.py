"""JSON lines: shapes, offset units, broken JSON. Export is in test_round_trips."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from annotator import formats
from annotator.formats import Parsed
from mlworker.schema import Mention

Refusal = Callable[..., str]

EMOJI = "😀 Ana Lee joined EU ."
CODE_POINTS = [[2, 9, "PER"], [17, 19, "ORG"]]
UTF_16 = [[3, 10, "PER"], [18, 20, "ORG"]]
MENTIONS = [Mention(2, 9, "PER"), Mention(17, 19, "ORG")]


def parse(*rows: dict[str, Any], **options: Any) -> Parsed:
    data = "\n".join(json.dumps(row) for row in rows).encode()
    return formats.parse("jsonl", data, filename="a.jsonl", **options)


@pytest.mark.parametrize("key", ["label", "labels", "entities", "spans", "mentions"])
@pytest.mark.parametrize("shape", ["triple", "start", "start_offset"])
def test_spans_are_read_in_every_shape(key: str, shape: str) -> None:
    spans: list[Any] = CODE_POINTS
    if shape != "triple":
        end = shape.replace("start", "end")
        spans = [{shape: s, end: e, "label": label, "id": 1} for s, e, label in CODE_POINTS]
    parsed = parse({"id": 7, "text": EMOJI, key: spans, "Comments": []})
    assert parsed.records[0].mentions == MENTIONS
    assert parsed.records[0].annotated
    assert parsed.records[0].meta == {"id": 7, "Comments": []}
    assert parsed.records[0].name == "a.jsonl:1"
    assert f"1 documents with spans under {key!r}" in parsed.notes


def test_prodigy_rows_are_read_and_only_accepted_ones_are_annotated() -> None:
    span = {"start": 2, "end": 9, "token_start": 1, "token_end": 2, "label": "PER"}
    tokens = [{"text": "😀", "start": 0, "end": 1, "id": 0, "ws": True}]
    rows = [
        {"text": EMOJI, "tokens": tokens, "spans": [span], "answer": answer}
        for answer in ("accept", "reject", "ignore")
    ]
    parsed = parse(*rows)
    assert [record.annotated for record in parsed.records] == [True, False, False]
    assert [len(record.mentions) for record in parsed.records] == [1, 0, 0]
    assert "2 documents answered 'reject' or 'ignore'; taken without their spans" in parsed.notes


def test_no_spans_is_an_answer_and_no_key_for_spans_is_none() -> None:
    parsed = parse({"text": "a", "label": []}, {"text": "b"}, {"text": "c", "label": None})
    assert [record.annotated for record in parsed.records] == [True, False, False]


def test_spans_under_two_keys_are_refused(refusal: Refusal) -> None:
    row = {"text": "Ana", "label": [[0, 3, "A"]], "spans": [[0, 3, "B"]]}
    assert "spans under both 'spans' and 'label'" in refusal("jsonl", json.dumps(row))


@pytest.mark.parametrize("label", ["positive", 3, {"a": 1}])
def test_a_label_for_the_whole_document_is_refused(label: object, refusal: Refusal) -> None:
    message = refusal("jsonl", json.dumps({"text": "Ana", "label": label}))
    assert "not a list of spans" in message
    assert "rename or remove the key" in message


def test_the_key_of_the_text_can_be_named() -> None:
    assert parse({"body": "Ana", "text": "x"}, text_field="body").records[0].text == "Ana"


def test_a_name_is_taken_and_one_too_long_stays_in_meta() -> None:
    parsed = parse({"text": "a", "name": "first"}, {"text": "b", "name": "x" * 201})
    assert [record.name for record in parsed.records] == ["first", "a.jsonl:2"]
    assert parsed.records[1].meta == {"name": "x" * 201}


def test_lines_end_at_line_feeds_only() -> None:
    data = '{"text": "a\u2028b\x85c"}\r\n\n{"text": "d"}\n'.encode()
    records = formats.parse("jsonl", data, filename="x").records
    assert [(record.text, record.line) for record in records] == [("a\u2028b\x85c", 1), ("d", 3)]


def test_an_array_is_read_and_noted_with_each_document_s_line() -> None:
    data = b'[\n {"text": "a"},\n\n {"text":\n "b"}, {"text": "c"}]\n'
    parsed = formats.parse("jsonl", data, filename="x")
    assert [(r.text, r.line, r.item) for r in parsed.records] == [
        ("a", 2, 1),
        ("b", 4, 2),
        ("c", 5, 3),
    ]
    assert "read as a JSON array" in parsed.notes


def test_label_studio_tasks_are_recognised_in_lines() -> None:
    value = {"start": 2, "end": 9, "text": "Ana Lee", "labels": ["PER"]}
    task = {"data": {"text": EMOJI}, "annotations": [{"result": [{"value": value}]}]}
    assert parse(task).records[0].mentions == MENTIONS[:1]


# --- offset units -------------------------------------------------------------------------------


def test_utf_16_offsets_that_fit_no_other_way_are_converted_and_noted() -> None:
    at_the_end = {"text": "Hi 😀😀 Ana", "label": [[8, 11, "PER"]]}
    parsed = parse({"text": EMOJI, "label": UTF_16}, at_the_end)
    assert parsed.records[0].mentions == MENTIONS
    assert parsed.records[1].mentions == [Mention(6, 9, "PER")]
    assert parsed.notes[-1] == (
        "UTF-16 offsets converted to code points, such as 'Ana Lee', 'EU', 'Ana'"
    )


def test_one_file_has_one_unit() -> None:
    """Spans in UTF-16 that would also fit as code points follow those that would not."""
    ambiguous = {"text": "😀 Ana met Lee", "label": [[3, 6, "PER"]]}
    certain = {"text": "😀😀 Ana", "label": [[5, 8, "PER"]]}
    records = parse(ambiguous, certain).records
    assert records[0].mentions == [Mention(2, 5, "PER")]


def test_code_points_that_fit_no_other_way_are_kept() -> None:
    parsed = parse({"text": "😀 Ana", "label": [[0, 1, "X"], [2, 5, "PER"]]})
    assert parsed.records[0].mentions == [Mention(0, 1, "X"), Mention(2, 5, "PER")]
    assert not [note for note in parsed.notes if "UTF-16" in note]


def test_offsets_that_could_be_either_are_code_points_and_the_note_shows_both() -> None:
    parsed = parse({"text": EMOJI, "label": UTF_16[:1]})
    assert parsed.records[0].mentions == [Mention(3, 10, "PER")]
    note = next(note for note in parsed.notes if "UTF-16" in note)
    assert "code points ('na Lee ')" in note
    assert "as UTF-16 ('Ana Lee')" in note


def test_an_emoji_after_all_spans_makes_no_doubt() -> None:
    parsed = parse({"text": "Ana 😀", "label": [[0, 3, "PER"]]})
    assert not [note for note in parsed.notes if "UTF-16" in note]


def test_a_surface_decides_the_unit() -> None:
    spans = [{"start": 3, "end": 10, "label": "PER", "text": "Ana Lee"}]
    assert parse({"text": EMOJI, "spans": spans}).records[0].mentions == MENTIONS[:1]


def test_the_unit_can_be_stated_by_the_caller_or_the_row() -> None:
    row = {"text": EMOJI, "label": UTF_16[:1]}
    assert parse(row, offset_unit="UTF-16").records[0].mentions == MENTIONS[:1]
    assert parse({**row, "offset_unit": "UTF-16"}).records[0].mentions == MENTIONS[:1]


def test_an_offset_in_the_middle_of_a_surrogate_pair_is_refused(refusal: Refusal) -> None:
    row = json.dumps({"text": EMOJI, "label": [[1, 10, "PER"]]})
    assert "counted in UTF-16 units" in refusal("jsonl", row, offset_unit="UTF-16")


def test_an_unknown_unit_is_refused(refusal: Refusal) -> None:
    row = json.dumps({"text": "Ana", "mentions": [], "offset_unit": "byte"})
    assert "line 1: unknown offset unit 'byte'. Use 'code point' or 'UTF-16'" in refusal(
        "jsonl", row
    )


# --- spans that cannot be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        (0, 4, "ends after the text, which has 3 characters"),
        (3, 500, "ends after the text"),
        (2, 2, "is no span"),
        (3, 1, "is no span"),
        (-1, 2, "is no span"),
        (0, 2.0, "needs whole numbers"),
        (0.5, 2, "needs whole numbers"),
        (False, True, "needs whole numbers"),
        ("0", "2", "needs whole numbers"),
        (None, 2, "needs whole numbers"),
        ([0], 2, "needs whole numbers"),
    ],
)
def test_a_span_that_is_none_is_refused_with_its_offsets(
    start: object, end: object, problem: str, refusal: Refusal
) -> None:
    good = {"text": "Ana", "label": [[0, 3, "PER"]]}
    bad = {"text": "Ana", "label": [[0, 3, "PER"], [start, end, "PER"]]}
    message = refusal("jsonl", f"{json.dumps(good)}\n{json.dumps(bad)}", filename="a.jsonl")
    assert message.startswith("a.jsonl, line 2: mention 2 (start ")
    assert problem in message


def test_a_surface_that_is_not_in_the_text_is_refused(refusal: Refusal) -> None:
    row = {"text": "Ana Lee", "spans": [{"start": 0, "end": 3, "label": "PER", "text": "Lee"}]}
    message = refusal("jsonl", json.dumps(row))
    assert "is 'Ana' in the text, but the file says 'Lee'" in message


@pytest.mark.parametrize(
    ("span", "problem"),
    [
        ([0, 3], "is not [start, end, label]"),
        ([0, 3, "PER", 1], "is not [start, end, label]"),
        ("PER", "is a string, not an object"),
        ({"start": 0, "end": 3}, "has no label"),
        ([0, 3, None], "has no label"),
        ([0, 3, 5], "has no label"),
        ({"label": "PER"}, "needs whole numbers"),
    ],
)
def test_a_broken_span_is_refused(span: object, problem: str, refusal: Refusal) -> None:
    message = refusal("jsonl", json.dumps({"text": "Ana", "label": [span]}))
    assert problem in message
    assert "line 1" in message


@pytest.mark.parametrize(
    "tokens", [[[0, 3], [2, 5]], [[0, 9]], [[3, 3]], [[2, 1]], [[0, 1], [1, 2]], [[-1, 2]]]
)
def test_tokens_that_are_no_words_are_refused(tokens: list[list[int]], refusal: Refusal) -> None:
    assert "token" in refusal("jsonl", json.dumps({"text": "A\nnas", "tokens": tokens}))


def test_tokens_of_another_kind_stay_in_meta() -> None:
    record = parse({"text": "Ana Lee", "tokens": ["Ana", "Lee"]}).records[0]
    assert record.tokens is None
    assert record.meta == {"tokens": ["Ana", "Lee"]}


# --- broken JSON --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"text": "Ana"', "broken JSON at column 15"),
        ("{'text': 'Ana'}", "broken JSON at column 2"),
        ('{"text": "Ana"} {"text": "Lee"}', "more text after the object"),
        ('{"text": "a\tb"}', "broken JSON"),
        ('"Ana"', "the document is a string, not an object"),
        ("3", "the document is a number, not an object"),
        ('{"text": null}', "'text' is null, not a string"),
        ('{"text": 5}', "'text' is a number, not a string"),
        ('{"text": ["Ana"]}', "'text' is a list, not a string"),
        ('{"body": "Ana", "n": 1}', "there is no 'text'; the keys are body, n"),
        ("{}", "there is no 'text'; the keys are none"),
        ('{"text": "Ana", "text": "Lee"}', "'text' is given twice"),
        ('{"text": "Ana", "a": [{"b": 1, "b": 1}]}', "'b' is given twice"),
        ('{"text": "Ana", "n": NaN}', "NaN is not a number in JSON"),
        ('{"text": "Ana", "n": -Infinity}', "-Infinity is not a number in JSON"),
        ('{"text": "Ana", "n": 1e999}', "the number 1e999 is too large"),
        ('{"text": "Ana", "n": ' + "9" * 5000 + "}", "a number has too many digits"),
        ('{"text": "Ana", "n": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
        ('{"text": "Ana", "n": ' + "[" * 40 + "]" * 40 + "}", "nested too deep"),
    ],
)
def test_a_broken_row_is_refused_with_its_line(row: str, problem: str, refusal: Refusal) -> None:
    message = refusal("jsonl", f'{{"text": "good"}}\n\n{row}\n', filename="a.jsonl")
    assert message.startswith(f"a.jsonl, line 3: {problem}")
    assert len(message) < 300


@pytest.mark.parametrize(
    ("data", "place", "problem"),
    [
        ('[\n{"text": "a"},\n{"text": }]', "line 3", "broken JSON at column 10"),
        ('[{"text": "a"}, {"text": 1}]', "line 1, document 2", "'text' is a number"),
        ('[\n{"text": "a"}\n{"text": "b"}]', "line 3", "a comma or ] was expected"),
        ('[\n{"text": "a"},\n]', "line 2", "a comma or ] was expected"),
        ('[\n{"text": "a"},', "line 2", "broken JSON"),
        ('[\n{"text": "a"}', "line 2", "the array is cut off"),
        ('[{"text": "a"}]\n[]', "line 2", "more text after the array"),
        ('["a", "b"]', "line 1, document 1", "the document is a string"),
        ('[\n{"text": "a",\n "n": NaN}]', "line 2", "NaN"),
        ("[" * 100_000, "line 1", "nested too deep"),
    ],
)
def test_a_broken_array_is_refused_with_line_and_document(
    data: str, place: str, problem: str, refusal: Refusal
) -> None:
    message = refusal("jsonl", data, filename="a.json")
    assert message.startswith(f"a.json, {place}")
    assert problem in message

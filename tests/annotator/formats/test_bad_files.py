"""What every format refuses or accepts alike."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from annotator import formats
from annotator.formats.records import DOCUMENT_LIMIT

Refusal = Callable[..., str]

ONE_DOCUMENT = {
    "text": "Ana Lee",
    "csv": "text\nAna Lee\n",
    "jsonl": '{"text": "Ana Lee"}\n',
    "labelstudio": '[{"id": 1, "data": {"text": "Ana Lee"}}]',
    "conll": "Ana B-PER\nLee I-PER\n",
}
SECOND_TASK_UNKNOWN = (
    '[\n{"data": {"text": "Ana"}},\n{"data": {"text": "Ana"}, "annotations": '
    '[{"result": [{"value": {"start": 0, "end": 3, "labels": ["PRE"]}}]}]}]'
)
every_format = pytest.mark.parametrize("name", formats.FORMATS)


def one_text(name: str, text: str) -> str:
    """A file with one document, in a format that can hold any text."""
    return {
        "text": text,
        "csv": 'text,n\n"' + text.replace('"', '""') + '",1\n',
        "jsonl": json.dumps({"text": text}),
        "labelstudio": json.dumps([{"data": {"text": text}}]),
        "conll": f"{text}\tO\n",
    }[name]


@every_format
def test_a_plain_document_is_read(name: str) -> None:
    parsed = formats.parse(name, ONE_DOCUMENT[name].encode(), filename="corpus")
    assert [record.text for record in parsed.records] == ["Ana Lee"]


@every_format
@pytest.mark.parametrize("data", [b"", b" \n\r\n\t", b"\xef\xbb\xbf\n"])
def test_an_empty_file_has_no_documents(name: str, data: bytes, refusal: Refusal) -> None:
    assert "No documents in file" in refusal(name, data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("csv", "text\n"),
        ("csv", 'text,id\n"  ",1\n'),
        ("jsonl", '{"text": "\\n"}'),
        ("jsonl", "[]"),
        ("labelstudio", "[]"),
        ("conll", "-DOCSTART- O\n\n"),
    ],
)
def test_a_file_of_blank_documents_has_none(name: str, data: str, refusal: Refusal) -> None:
    assert "No documents in file" in refusal(name, data)


def test_blank_documents_among_others_are_left_out_and_counted() -> None:
    parsed = formats.parse("csv", b"text,id\nAna,1\n  ,2\n,3\n", filename="a.csv")
    assert [record.text for record in parsed.records] == ["Ana"]
    assert "2 documents without text left out" in parsed.notes


@every_format
def test_a_byte_order_mark_is_dropped_and_noted(name: str) -> None:
    data = b"\xef\xbb\xbf" + ONE_DOCUMENT[name].encode()
    parsed = formats.parse(name, data, filename="corpus")
    assert parsed.records[0].text == "Ana Lee"
    assert parsed.notes[0] == "read as UTF-8 with a byte order mark"


@every_format
@pytest.mark.parametrize("codec", ["utf-16", "utf-32"])
def test_utf_16_with_a_byte_order_mark_is_read_and_noted(name: str, codec: str) -> None:
    parsed = formats.parse(name, ONE_DOCUMENT[name].encode(codec), filename="corpus")
    assert parsed.records[0].text == "Ana Lee"
    assert parsed.notes[0] == f"read as {codec.upper()}"


@every_format
def test_another_encoding_is_refused_with_line_and_byte(name: str, refusal: Refusal) -> None:
    data = ONE_DOCUMENT[name].encode().replace(b"Lee", b"L\xe9e")
    line = data[: data.index(b"\xe9")].count(b"\n") + 1
    message = refusal(name, data, filename="old.txt")
    assert message.startswith(f"old.txt, line {line}: not UTF-8 at byte ")
    assert message.endswith("Save the file as UTF-8.")


def test_the_byte_of_a_wrong_encoding_counts_from_the_start_of_its_line(refusal: Refusal) -> None:
    assert "line 2: not UTF-8 at byte 3 of the line" in refusal("text", b"ok\nab\xff")
    assert "line 1: not UTF-8 at byte 6 of the line" in refusal("text", b"\xef\xbb\xbfab\xff")


def test_utf_16_that_is_cut_off_is_refused(refusal: Refusal) -> None:
    assert "not valid UTF-16 at byte" in refusal("text", "Ana".encode("utf-16")[:-1])


@every_format
@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        (b"PK\x03\x04\x14\0", "a zip archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
    ],
)
def test_a_binary_file_is_recognised(name: str, start: bytes, what: str, refusal: Refusal) -> None:
    assert what in refusal(name, start + ONE_DOCUMENT[name].encode())


def test_binary_data_of_no_known_kind_is_called_binary(refusal: Refusal) -> None:
    assert "binary file" in refusal("text", bytes(range(256)))


def test_detection_refuses_a_binary_file_by_name() -> None:
    with pytest.raises(formats.FormatError, match=r"^photo\.txt: this is a PNG image"):
        formats.detect("photo.txt", b"\x89PNG\r\n")


@every_format
@pytest.mark.parametrize("character", ["\0", "\x01", "\x0c", "\x1b", "\x7f", "\x92"])
def test_a_control_character_is_refused_with_its_line(
    name: str, character: str, refusal: Refusal
) -> None:
    data = ONE_DOCUMENT[name].replace("Lee", f"L{character}e")
    line = data[: data.index(character)].count("\n") + 1
    message = refusal(name, data)
    assert f"line {line}: control character U+{ord(character):04X}" in message


@pytest.mark.parametrize("name", ["jsonl", "labelstudio"])
@pytest.mark.parametrize(
    "escape", ["\\u0000", "\\b", "\\f", "\\u001b", "\\ud800", "\\udc00\\ud800"]
)
def test_json_escapes_smuggle_nothing_in(name: str, escape: str, refusal: Refusal) -> None:
    good = ONE_DOCUMENT[name]
    for data in (good.replace("Lee", escape), good.replace('"text"', f'"{escape}": 1, "text"')):
        assert "line 1" in (message := refusal(name, data))
        assert "cannot be stored" in message


@every_format
@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧 👍🏽 🇳🇿 Ana",
        "שלום Ana مرحبا \u202e reversed",
        "東京タワー",
        "e\u0301 is not é; ½ is not 1/2",
        "Z" + "\u0301" * 10_000,
        "a\u2028b\u2029c\x85d\u00a0e\ufefff\u200b",
        "  spaces stay  ",
        "=HYPERLINK(1)",
        "<img src=x onerror=alert(1)>",
        "{{7*7}} {0.__class__} \\n",
    ],
)
def test_text_is_kept_exactly(name: str, text: str) -> None:
    parsed = formats.parse(name, one_text(name, text).encode(), filename="corpus")
    assert [record.text for record in parsed.records] == [text]


@pytest.mark.parametrize("name", ["csv", "jsonl", "labelstudio"])
@pytest.mark.parametrize("text", ["a\r\nb\rc\nd", "\n\na\n", '"quoted", so; yes\t'])
def test_line_breaks_inside_a_document_are_kept(name: str, text: str) -> None:
    parsed = formats.parse(name, one_text(name, text).encode(), filename="corpus")
    assert parsed.records[0].text == text


@every_format
def test_a_document_may_be_as_long_as_the_limit(name: str) -> None:
    data = one_text(name, "x" * DOCUMENT_LIMIT).encode()
    parsed = formats.parse(name, data, filename="corpus")
    assert len(parsed.records[0].text) == DOCUMENT_LIMIT


@every_format
def test_a_longer_document_is_refused(name: str, refusal: Refusal) -> None:
    message = refusal(name, one_text(name, "x" * (DOCUMENT_LIMIT + 1)))
    assert "the document has 1,000,001 characters; limit 1 MB. Split it" in message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("conll", "Ana B-PER\n\nLee B-PRE\n"),
        ("jsonl", '{"text": "Ana", "label": []}\n\n{"text": "Ana", "label": [[0, 3, "PRE"]]}'),
        ("labelstudio", SECOND_TASK_UNKNOWN),
    ],
)
def test_an_unknown_label_names_line_label_and_the_known_ones(
    name: str, data: str, refusal: Refusal
) -> None:
    message = refusal(name, data, filename="x", labels=["PER", "LOC"])
    assert message.startswith("x, line 3")
    assert "unknown label 'PRE'; this project has PER, LOC. Rename it in the file" in message


def test_unknown_labels_of_suggestions_are_refused_too(refusal: Refusal) -> None:
    data = (
        '[{"data": {"text": "Ana"}, "predictions": [{"result": '
        '[{"value": {"start": 0, "end": 3, "labels": ["PRE"]}}]}]}]'
    )
    assert "unknown label 'PRE'" in refusal("labelstudio", data, labels=["PER"])


def test_without_known_labels_they_are_collected_and_counted() -> None:
    data = b"Ana B-PER\n\nRome B-LOC\n\nLee B-PER\n"
    assert formats.parse("conll", data, filename="x").labels == {"PER": 2, "LOC": 1}


def test_labels_that_differ_only_in_case_are_flagged() -> None:
    notes = formats.parse("conll", b"Ana B-PER\n\nLee B-per\n", filename="x").notes
    assert "the labels 'PER' and 'per' differ only in their case" in notes


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("", "empty label"),
        ("  ", "empty label"),
        ("x" * 65, "over 64 characters"),
        ("O", "means 'no entity'"),
        (" PER", "white space"),
        ("PER\nLOC", "white space"),
        ("PER\u2028LOC", "white space"),
    ],
)
def test_a_label_that_cannot_be_one_is_refused(label: str, problem: str, refusal: Refusal) -> None:
    data = json.dumps({"text": "Ana", "label": [[0, 3, label]]})
    assert problem in (message := refusal("jsonl", data))
    assert "line 1" in message


def test_a_label_of_64_characters_is_accepted() -> None:
    data = json.dumps({"text": "Ana", "label": [[0, 3, "x" * 64]]}).encode()
    assert formats.parse("jsonl", data, filename="x").records[0].mentions[0].label == "x" * 64


def test_exact_duplicates_are_merged_and_overlaps_kept_and_both_noted() -> None:
    spans = [[0, 7, "PER"], [4, 7, "PER"], [0, 7, "PER"], [0, 7, "ORG"]]
    data = json.dumps({"text": "Ana Lee", "label": spans}).encode()
    parsed = formats.parse("jsonl", data, filename="x")
    found = [(m.start, m.end, m.label) for m in parsed.records[0].mentions]
    assert found == [(0, 7, "ORG"), (0, 7, "PER"), (4, 7, "PER")]
    assert "1 mentions that were given twice merged" in parsed.notes
    assert "2 mentions that overlap another kept" in parsed.notes


def test_mentions_that_touch_do_not_overlap() -> None:
    data = json.dumps({"text": "AnaLee", "label": [[0, 3, "A"], [3, 6, "B"]]}).encode()
    notes = formats.parse("jsonl", data, filename="x").notes
    assert not [note for note in notes if "overlap" in note]


def test_a_long_file_name_is_cut_in_document_names_but_not_in_messages(refusal: Refusal) -> None:
    filename = "x" * 300 + ".txt"
    parsed = formats.parse("text", b"Ana", filename=filename)
    assert len(parsed.records[0].name) < 200
    assert parsed.records[0].name.endswith(".txt:1")
    assert refusal("text", b"", filename=filename).startswith(filename)


def test_a_refusal_always_says_what_to_do(refusal: Refusal) -> None:
    message = refusal("jsonl", '{"text": 5}')
    assert message.endswith(
        "'text' is a number, not a string. Correct it and import the file again."
    )


def test_an_unknown_format_is_refused_with_the_known_ones(refusal: Refusal) -> None:
    assert "no format 'docx'. Use one of csv, " in refusal("docx", b"x")


@pytest.mark.parametrize(
    ("filename", "data", "name"),
    [
        ("a.txt", "Ana met Lee.", "text"),
        ("a.TXT", "Ana B-PER\nmet O\n", "conll"),
        ("a.txt", "-DOCSTART- -X- -X- O\n\nAna NNP I-NP I-PER\n", "conll"),
        ("train", "# id 7 domain=en\nAna _ _ B-PER\n", "conll"),
        ("a.conll", "what is this", "conll"),
        ("a.csv", "text\nAna\n", "csv"),
        ("a.tsv", "text\tid\nAna\t1\n", "csv"),
        ("a.jsonl", '{"text": "Ana"}', "jsonl"),
        ("a.json", '{"text": broken', "jsonl"),
        ("a.txt", '{"text": "Ana"}', "jsonl"),
        ("a.json", '[{"text": "Ana"}]', "jsonl"),
        ("a.json", '[{"data": {"text": "Ana"}}]', "labelstudio"),
        ("a.json", '[{"id": 1, "text": "Ana", "annotation_id": 2}]', "labelstudio"),
        ("a.txt", "[1] A footnote", "text"),
        ("a", "Blood type O\n", "text"),
    ],
)
def test_a_file_s_format_is_detected(filename: str, data: str, name: str) -> None:
    assert formats.detect(filename, data.encode()) == name

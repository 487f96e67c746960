"""Plain text and CSV."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from annotator import formats

Refusal = Callable[..., str]


def texts(name: str, data: str, **options: str) -> list[str]:
    parsed = formats.parse(name, data.encode(), filename="x", **options)
    return [record.text for record in parsed.records]


def test_text_has_a_document_per_line_that_is_not_blank() -> None:
    parsed = formats.parse("text", b"Ana\n\n  \n Lee \r\nEva\rIda", filename="a.txt")
    assert [(r.text, r.line, r.name) for r in parsed.records] == [
        ("Ana", 1, "a.txt:1"),
        (" Lee ", 4, "a.txt:4"),
        ("Eva", 5, "a.txt:5"),
        ("Ida", 6, "a.txt:6"),
    ]
    assert "one document per line" in parsed.notes


def test_text_documents_are_not_annotated() -> None:
    parsed = formats.parse("text", b"Ana", filename="a.txt")
    assert not parsed.records[0].annotated
    assert parsed.records[0].tokens is None


def test_a_whole_text_file_can_be_one_document() -> None:
    whole = "Ana\r\n\nLee \n"
    assert texts("text", whole, unit="file") == [whole]


def test_an_unknown_unit_of_text_is_refused(refusal: Refusal) -> None:
    assert "Use 'line' or 'file'" in refusal("text", "Ana", unit="page")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_finds_its_separator_and_keeps_other_columns(separator: str) -> None:
    rows = [["id", "text", "from"], ["1", '"Ana, Lee; and\tEva"', "post"], ["2", "Ida", ""]]
    data = "\n".join(separator.join(row) for row in rows).encode()
    parsed = formats.parse("csv", data, filename="a.csv")
    assert [record.text for record in parsed.records] == ["Ana, Lee; and\tEva", "Ida"]
    assert parsed.records[0].meta == {"id": "1", "from": "post"}
    assert [record.name for record in parsed.records] == ["a.csv:2", "a.csv:3"]
    names = {",": "comma", ";": "semicolon", "\t": "tab"}
    assert f"columns separated by {names[separator]}, text in 'text'" in parsed.notes


def test_a_text_full_of_commas_does_not_hide_a_semicolon() -> None:
    data = "text;a,b\nOne, two, three;1\nFour, five, six;2\n"
    assert texts("csv", data) == ["One, two, three", "Four, five, six"]


def test_csv_takes_its_only_column_whatever_it_is_called() -> None:
    parsed = formats.parse("csv", b"sentence\nAna\n", filename="a.csv")
    assert parsed.records[0].text == "Ana"
    assert "columns separated by comma, text in 'sentence'" in parsed.notes


def test_the_text_column_can_be_named_and_case_does_not_matter() -> None:
    assert texts("csv", "id,Text\n1,Ana\n") == ["Ana"]
    assert texts("csv", "id,text,body\n1,x,Ana\n", text_field="body") == ["Ana"]


@pytest.mark.parametrize("asked", [None, "body"])
def test_a_missing_text_column_is_refused_with_the_columns(
    asked: str | None, refusal: Refusal
) -> None:
    message = refusal("csv", "id,title\n1,Ana\n", filename="a.csv", text_field=asked)
    assert message.startswith(f"a.csv, line 1: no column is called {asked or 'text'!r}")
    assert "the columns are id, title. Name the column" in message


def test_two_columns_of_one_name_are_refused(refusal: Refusal) -> None:
    assert "2 columns are called 'text'" in refusal("csv", "text,text\na,b\n")


def test_a_column_without_a_name_gets_one() -> None:
    parsed = formats.parse("csv", b",text\n0,Ana\n", filename="a.csv")
    assert parsed.records[0].meta == {"column 1": "0"}


def test_a_ragged_row_is_refused_with_its_line(refusal: Refusal) -> None:
    message = refusal("csv", 'id,text\n1,"two\nlines"\n2,Ana, Lee\n')
    assert "line 4: 3 fields where the header has 2 (id, text)" in message


def test_a_quote_that_is_never_closed_is_refused_where_its_row_starts(refusal: Refusal) -> None:
    message = refusal("csv", 'id,text\n1,Ana\n2,"Lee\n3,Eva\n4,Ida\n')
    assert "line 3: a quote opened in the row that starts here is never closed" in message


def test_a_stray_quote_is_refused_with_its_line(refusal: Refusal) -> None:
    assert "line 2: the row that starts here is broken" in refusal("csv", 'id,text\n1,"Ana" Lee\n')


def test_csv_lines_count_from_the_start_of_a_row_of_several_lines() -> None:
    parsed = formats.parse("csv", b'text\n"a\r\nb"\n\nc\n', filename="x")
    assert [(record.text, record.line) for record in parsed.records] == [("a\r\nb", 2), ("c", 5)]


def test_a_csv_field_may_be_longer_than_the_csv_module_s_default() -> None:
    assert texts("csv", "text\n" + "x" * 200_000 + "\n") == ["x" * 200_000]


def test_a_header_of_very_many_columns_is_refused_in_few_words(refusal: Refusal) -> None:
    header = ",".join(f"c{n}" for n in range(50_000))
    message = refusal("csv", f"{header}\n{header}\n")
    assert "and 49980 more" in message
    assert len(message) < 500

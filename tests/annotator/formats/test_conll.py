"""CoNLL: columns, tagging schemes, documents. Export is in test_round_trips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator import formats
from annotator.formats import Parsed

Refusal = Callable[..., str]


def parse(data: str, **options: Any) -> Parsed:
    return formats.parse("conll", data.encode(), filename="a.conll", **options)


def mentions(data: str, **options: Any) -> list[tuple[str, str]]:
    return [
        (record.text[m.start : m.end], m.label)
        for record in parse(data, **options).records
        for m in record.mentions
    ]


def tagged(tags: str) -> str:
    """A sentence of the words a, b, c, … with these tags."""
    return "".join(f"{chr(97 + n)} {tag}\n" for n, tag in enumerate(tags.split()))


def test_words_are_joined_by_spaces_and_their_places_kept() -> None:
    record = parse("😀\tO\nAna\tB-PER\nLee\tI-PER\n.\tO\n").records[0]
    assert record.text == "😀 Ana Lee ."
    assert record.tokens == [(0, 1), (2, 5), (6, 9), (10, 11)]
    assert [(m.start, m.end, m.label) for m in record.mentions] == [(2, 9, "PER")]
    assert record.annotated


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("space", ["\t", " ", "   "])
def test_columns_and_lines_end_as_they_may(space: str, end: str) -> None:
    rows = ["Ana NNP I-NP I-PER", "Lee NNP I-NP I-PER", "", "", "  ", "Eva NNP I-NP I-PER"]
    data = end.join(row.replace(" ", space) for row in rows)
    assert mentions(data) == [("Ana Lee", "PER"), ("Eva", "PER")]


def test_a_file_without_docstart_has_a_document_per_sentence() -> None:
    records = parse("a O\nb O\n\nc O\n").records
    assert [(r.text, r.line, r.name) for r in records] == [
        ("a b", 1, "a.conll:1"),
        ("c", 4, "a.conll:4"),
    ]


def test_docstart_makes_documents_of_sentences_on_lines() -> None:
    head = "-DOCSTART- -X- -X- O\n\n"
    body = "a X X O\nb X X B-PER\n\nc X X I-PER\n\n"
    records = parse(head + body + head + head + body).records
    assert [record.text for record in records] == ["a b\nc", "a b\nc"]
    assert records[0].tokens == [(0, 1), (2, 3), (4, 5)]
    # A mention never goes over the end of a sentence.
    assert [(m.start, m.end) for m in records[0].mentions] == [(2, 3), (4, 5)]


def test_sentences_before_the_first_docstart_are_a_document() -> None:
    assert [r.text for r in parse("a O\n\nb O\n\n-DOCSTART- O\n\nc O\n").records] == ["a\nb", "c"]


@pytest.mark.parametrize(
    ("tags", "scheme", "found"),
    [
        ("B-P I-P O B-P B-P", "IOB2", ["a b", "d", "e"]),
        ("I-P I-P O I-P B-P I-L", "IOB1", ["a b", "d", "e", "f"]),
        ("B-P E-P O S-P S-P B-L I-L E-L", "BIOES", ["a b", "d", "e", "f g h"]),
        ("B-P L-P O U-P U-P", "BILOU", ["a b", "d", "e"]),
        ("B-P M-P E-P S-L", "BIOES", ["a b c", "d"]),
        ("O O", "IOB2", []),
        ("B-P I-L", "IOB2, but 1 mentions do not begin with B- (the first at line 2)", ["a", "b"]),
    ],
)
def test_the_scheme_is_found_out_and_stated(tags: str, scheme: str, found: list[str]) -> None:
    assert [surface for surface, _ in mentions(tagged(tags))] == found
    note = parse(tagged(tags)).notes[-1]
    assert note.startswith(f"tags in {scheme}")
    assert ("taken as mentions" in note) == ("but" in scheme)


def test_i_after_o_in_a_file_that_is_otherwise_iob2_is_noted_with_its_line() -> None:
    data = tagged("B-P I-P O") + "\n" + tagged("O I-P I-P")
    assert [surface for surface, _ in mentions(data)] == ["a b", "b c"]
    assert parse(data).notes[-1] == (
        "tags in IOB2, but 1 mentions do not begin with B- (the first at line 6): "
        "taken as mentions, as in IOB1"
    )


def test_adjacent_mentions_of_one_label_stay_apart() -> None:
    for tags in ("B-P B-P", "I-P B-P", "S-P S-P", "B-P E-P B-P E-P"):
        assert len(mentions(tagged(tags))) == 2


def test_labels_may_hold_hyphens_and_spaces() -> None:
    assert mentions("Ana\tB-creative-work\nb\tB-job title\n") == [
        ("Ana", "creative-work"),
        ("b", "job title"),
    ]


def test_columns_can_be_chosen() -> None:
    data = "1 Ana B-PER NNP\n2 Lee I-PER NNP\n"
    assert mentions(data, token_column=1, tag_column=2) == [("Ana Lee", "PER")]


@pytest.mark.parametrize("column", [4, -5])
def test_a_column_that_is_not_there_is_refused(column: int, refusal: Refusal) -> None:
    message = refusal("conll", "a b c O\n", tag_column=column)
    assert f"no column {column}; there are 4, counted from 0" in message


def test_words_may_hold_unusual_spaces() -> None:
    record = parse("a\u00a0b O\nc\u2028d B-PER\n").records[0]
    assert record.text == "a\u00a0b c\u2028d"
    assert record.tokens == [(0, 3), (4, 7)]


def test_a_number_sign_is_a_word_and_comments_are_left_out_and_noted() -> None:
    parsed = parse("# id 7 domain=en\n# O\nAna B-PER\n\n# newdoc = 2\nb O\n")
    assert [record.text for record in parsed.records] == ["# Ana", "b"]
    assert "2 comment lines that start with # left out" in parsed.notes


def test_the_columns_are_stated() -> None:
    assert parse("a\tO\n").notes[0] == "2 columns separated by tab"
    assert parse("a b O\n").notes[0] == "3 columns separated by spaces"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("a O\nb O\nc\n", "line 3: 1 column, but line 1 has 2"),
        ("a O\n\nb X O\n", "line 3: 3 columns, but line 1 has 2"),
        ("a\tO\nb O\n", "line 2: 1 column, but line 1 has 2"),
        ("a\nb\n", "line 1: only one column, where a word and its tag are needed"),
        ("a O\nb PER\n", "line 2: the tag 'PER' is neither O nor B-"),
        ("a O\nb B-\n", "line 2: the tag 'B-' is neither"),
        ("a O\nb X-PER\n", "line 2: the tag 'X-PER' is neither"),
        ("a O\nb B_PER\n", "line 2: the tag 'B_PER' is neither"),
        ("a\tO\nb\t\n", "line 2: the tag '' is neither"),
        ("a\tO\n\tO\n", "line 2: no word before the tag 'O'"),
        ("a O\nb B-O\n", "means 'no entity'"),
    ],
)
def test_a_broken_line_is_refused_with_its_number(
    data: str, problem: str, refusal: Refusal
) -> None:
    assert problem in refusal("conll", data)

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlworker import corpora
from mlworker.conll import chunks, parse
from mlworker.schema import Mention, Scores, Text
from mlworker.spanner_json import parse as parse_json

TYPES = "ab"
IOB = ["O", *(f"{prefix}-{label}" for prefix in "BI" for label in TYPES)]
IOE = ["O", *(f"{prefix}-{label}" for prefix in "IE" for label in TYPES)]


# An independent statement of conlleval's rules (E. Tjong Kim Sang, version of 2004-01-26), as the
# tables of its subroutines startOfChunk and endOfChunk have them: (prefix before, prefix now).
STARTS = {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I"), ("E", "E"), ("E", "I"), ("O", "E")}
STOPS = {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "E"), ("E", "I"), ("E", "O")}


def steps(tags: list[str]) -> list[tuple[bool, bool, str, str]]:
    """Between each word and the next: does a chunk end, does one start, label before and after."""
    out = []
    for before, now in pairwise(["O", *tags, "O"]):
        (tag0, _, type0), (tag1, _, type1) = before.partition("-"), now.partition("-")
        ends = (tag0, tag1) in STOPS or (tag0 != "O" and type0 != type1)
        starts = (tag0, tag1) in STARTS or (tag1 != "O" and type0 != type1)
        out.append((ends, starts, type0, type1))
    return out


def conlleval(gold: list[str], guessed: list[str]) -> tuple[int, int, int]:
    """Chunks that are right, guessed and gold, counted in one pass as conlleval does."""
    right = in_both = found = true = 0
    for (end, start, was, label), (guess_end, guess_start, guess_was, guess_label) in zip(
        steps(gold), steps(guessed), strict=True
    ):
        if in_both:
            if end and guess_end and was == guess_was:
                in_both, right = 0, right + 1
            elif end != guess_end or label != guess_label:
                in_both = 0
        if start and guess_start and label == guess_label:
            in_both = 1
        true += start
        found += guess_start
    return right, found, true


@given(
    st.sampled_from([IOB, IOE]).flatmap(
        lambda tags: st.lists(st.tuples(st.sampled_from(tags), st.sampled_from(tags)), max_size=12)
    )
)
def test_mentions_and_scores_are_those_of_conlleval(pairs: list[tuple[str, str]]) -> None:
    gold, guessed = [g for g, _ in pairs], [p for _, p in pairs]
    right, found, true = conlleval(gold, guessed)
    ours, theirs = set(chunks(guessed)), set(chunks(gold))
    assert (len(ours & theirs), len(ours), len(theirs)) == (right, found, true)
    precision = 100 * right / found if found else 0.0
    recall = 100 * right / true if true else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    assert Scores.count(ours, theirs) == Scores(round(precision, 2), round(recall, 2), round(f1, 2))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-a I-a", [(0, 1, "a")]),
        ("O I-a I-b", [(1, 1, "a"), (2, 2, "b")]),
        ("B-a B-a I-a", [(0, 0, "a"), (1, 2, "a")]),
        ("B-a I-b O", [(0, 0, "a"), (1, 1, "b")]),
        ("B-a O I-a", [(0, 0, "a"), (2, 2, "a")]),
        ("I-a I-a B-a", [(0, 1, "a"), (2, 2, "a")]),  # IOB1
        ("B-a I-a E-a S-a S-a O", [(0, 2, "a"), (3, 3, "a"), (4, 4, "a")]),  # BIOES
        ("B-a L-a U-b I-b", [(0, 1, "a"), (2, 2, "b"), (3, 3, "b")]),  # BILOU, out of step
        ("B-creative-work I-creative-work", [(0, 1, "creative-work")]),
        ("O O", []),
    ],
)
def test_every_scheme_and_what_is_out_of_order(
    tags: str, expected: list[tuple[int, int, str]]
) -> None:
    assert list(chunks(tags.split())) == expected


def test_a_text_per_sentence_with_its_words_and_mentions() -> None:
    first, second = parse(
        "-DOCSTART-\tO\n\n👍🏽\tO\nNew\tB-place\nYork\tI-place\n\n\nAda NNP B-person\nin IN O\n", ""
    )
    assert first == Text(0, "👍🏽 New York", [(0, 2), (3, 6), (7, 11)], [Mention(3, 11, "place")])
    assert second.text[0:3] == "Ada"
    assert second.mentions == [Mention(0, 3, "person")]


def test_odd_characters_do_not_end_a_line() -> None:
    (text,) = parse("a\u2028b\tO\nc\x85d\tB-x\n", "")
    assert [text.text[s:e] for s, e in text.tokens or []] == ["a\u2028b", "c\x85d"]
    (text,) = parse("a\u00a0b B-x\n", "")
    assert text.mentions == [Mention(0, 3, "x")]


@pytest.mark.parametrize("line", ["alone", "word\tX-person", "\tO", "word\tB-", "word\tBI-x"])
def test_a_broken_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"file\.conll:2: "):
        parse(f"fine\tO\n{line}\n", "file.conll")


def spanner(*records: object) -> str:
    return json.dumps(records)


def test_spanner_json_is_read_like_the_columns_it_was_made_from() -> None:
    columns = parse("👍🏽\tO\nNew\tB-LOC\nYork\tI-LOC\n\nAda\tB-PER\n", "")
    records = spanner(
        {"context": "👍🏽 New York", "span_posLabel": {"1;2": "LOC"}},
        {"context": "Ada", "span_posLabel": {"0;0": "PER"}},
    )
    assert parse_json(records, "") == columns


def test_spanner_json_keeps_its_text_and_skips_document_marks() -> None:
    records = spanner(
        {"context": "-DOCSTART-", "span_posLabel": {}},
        {"context": " in  New York", "span_posLabel": {"1;2": "LOC", "0;0": "X"}, "id": 7},
    )
    (text,) = parse_json(records, "")
    assert text.text == " in  New York"
    assert text.mentions == [Mention(1, 3, "X"), Mention(5, 13, "LOC")]


@pytest.mark.parametrize(
    "record",
    [
        "a sentence",
        {"context": "Ada"},
        {"context": None, "span_posLabel": {}},
        {"context": "Ada", "span_posLabel": {"0": "PER"}},
        {"context": "Ada", "span_posLabel": {"0;1": "PER"}},
        {"context": "Ada b", "span_posLabel": {"1;0": "PER"}},
        {"context": "Ada", "span_posLabel": {"-1;0": "PER"}},
        {"context": "Ada", "span_posLabel": {"0;0": "O"}},
        {"context": "Ada", "span_posLabel": {"0;0": 3}},
    ],
)
def test_a_broken_record_is_named(record: object) -> None:
    fine = {"context": "fine", "span_posLabel": {}}
    with pytest.raises(ValueError, match=r"x\.json, record 2: "):
        parse_json(spanner(fine, record), "x.json")


@pytest.mark.parametrize("content", ["[{", '{"context": "Ada"}', "null"])
def test_what_is_not_a_list_of_records_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r"^x\.json: not "):
        parse_json(content, "x.json")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dev.conll", "\ufeff[\tO\nAda\tB-PER\n"),
        ("spanner.dev", '\n[ {"context": "[ Ada", "span_posLabel": {"1;1": "PER"}}]'),
        ("dev.json", '[{"context": "[ Ada", "span_posLabel": {"1;1": "PER"}}]'),
    ],
)
def test_the_format_is_found_by_what_is_in_the_file(
    name: str, content: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert corpora.splits(tmp_path) == {"dev": tmp_path / name}
    assert corpora.read(tmp_path / name) == [
        Text(0, "[ Ada", [(0, 1), (2, 5)], [Mention(2, 5, "PER")])
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b"caf\xe9\tO\n"])
def test_a_file_without_sentences_or_of_another_encoding_is_named(
    content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "x.conll"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.conll: "):
        corpora.read(file)

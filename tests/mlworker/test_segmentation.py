from __future__ import annotations

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlworker.schema import Text
from mlworker.segmentation import MAX_CONTEXT_WORDS, sentences

TRICKY = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                "👩‍👩‍👧 ", "🇩🇪🇫🇷", "👍🏽", "e\u0301",
                "北京大学。", "مرحبا بالعالم؟ ", "שלום", "हिन्दी।",
                "สวัสดี", "\r\n", "\n\n", "\u2028", "\u200d", "\u0600 ", "Dr. Who", " U.S. ", "\x00",
                "https://x.org/a_b. ", "@you ", "#tag", "a.b@c.de ", "3.14", "!!! Yes", "’s ",
            ]
        ),
    ),
    max_size=12,
).map("".join)  # fmt: skip


def words(text: str) -> list[list[str]]:
    return [sentence.words for sentence in sentences(Text(1, text))]


@settings(max_examples=200, deadline=None)
@given(TRICKY)
@example("a\u0600 b")
@example(" \u0301")
def test_every_character_but_white_space_is_in_exactly_one_word(text: str) -> None:
    covered = [0] * len(text)
    for sentence in sentences(Text(1, text)):
        assert sentence.words
        assert sentence.words == [text[s:e] for s, e in sentence.offsets]
        for start, end in sentence.offsets:
            for i in range(start, end):
                covered[i] += 1
    assert covered == [0 if regex.match(r"\s", c) else 1 for c in text]


@settings(max_examples=200, deadline=None)
@given(TRICKY)
def test_words_come_in_order_and_no_sentence_crosses_a_line(text: str) -> None:
    last = 0
    for sentence in sentences(Text(1, text)):
        for start, end in sentence.offsets:
            assert last <= start < end
            last = end
        inside = text[sentence.offsets[0][0] : sentence.offsets[-1][1]]
        assert "\n" not in inside
        assert "\r" not in inside


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't go, Nokia's CEO", ["Don", "'t", "go", ",", "Nokia", "'s", "CEO"]),
        ("@you #tag me@x.org", ["@", "you", "#", "tag", "me@x.org"]),
        ("see https://t.co/ab. Or", ["see", "https://t.co/ab", ".", "Or"]),
        ("the U.S. in 3.14", ["the", "U.S", ".", "in", "3.14"]),
        ("北京 New-York", ["北", "京", "New", "-", "York"]),
        ("ok👍🏽👩‍👩‍👧", ["ok", "👍🏽", "👩‍👩‍👧"]),
        ("हिन्दी مرحبا", ["हिन्दी", "مرحبا"]),
    ],
)
def test_words_are_cut_as_people_see_them(text: str, expected: list[str]) -> None:
    assert [word for sentence in words(text) for word in sentence] == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It rains. We stay.", 2),
        ("Dr. Smith met J. Doe at St. Mary. He left.", 2),
        ("The U.S. Army came. It went.", 2),
        ("No. 5 is out. No. It is not.", 3),
        ("Yahoo! is old. “Really?” She laughed.", 3),
        ("version 2.5 came ... and went", 1),
        ("他来了。他走了！", 2),
        ("first line\r\nsecond line\rthird", 3),
        ("what?! @you said so", 2),
        ("", 0),
        (" \n\t\r\n", 0),
    ],
)
def test_raw_text_is_cut_at_sentence_ends_with_care(text: str, count: int) -> None:
    assert len(words(text)) == count


def test_pretokenised_text_keeps_exactly_its_lines_and_words() -> None:
    text = "Dr. Who ? Yes .\nNew York-based\n\nend"
    tokens = [(0, 3), (4, 7), (8, 9), (10, 13), (14, 15), (16, 19), (20, 30), (32, 35)]
    cut = sentences(Text(1, text, tokens))
    assert [s.words for s in cut] == [
        ["Dr.", "Who", "?", "Yes", "."],
        ["New", "York-based"],
        ["end"],
    ]


@pytest.mark.parametrize(
    "tokens", [[(0, 2), (1, 3)], [(2, 2)], [(0, 9)], [(-1, 1)], [(2, 3), (0, 1)]]
)
def test_tokens_that_overlap_or_leave_the_text_are_refused(tokens: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="token"):
        sentences(Text(1, "abc", tokens))


def test_context_is_the_sentence_and_of_an_endless_one_the_part_around() -> None:
    short, long = sentences(Text(1, "one two three\n" + "word " * 1000))
    assert short.context(1, 1) == (0, 13)
    begin, end = long.context(500, 501)
    assert begin < long.offsets[500][0] < long.offsets[501][1] < end
    assert (end - begin) // 5 <= MAX_CONTEXT_WORDS + 2


def test_a_long_text_without_blanks_takes_no_more_than_linear_time() -> None:
    for unit in ("ab.", "a@", "1", "x", "http://", "!", "a.", "字"):
        text = unit * (30_000 // len(unit))
        assert sum(len(w) for sentence in words(text) for w in sentence) == len(text)

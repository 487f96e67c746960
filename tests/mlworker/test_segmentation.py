from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlworker import languages
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


def words(text: str, language: str = "en") -> list[list[str]]:
    return [sentence.words for sentence in sentences(Text(1, text, language=language))]


@settings(max_examples=300, deadline=None)
@given(TRICKY, st.sampled_from(["en", "xx", "zh", "ar", "ja"]))
@example("a\u0600 b", "en")
@example(" \u0301", "en")
@example("\u0600 \u200c", "en")
def test_every_character_but_white_space_is_in_exactly_one_word(text: str, language: str) -> None:
    covered = [0] * len(text)
    for sentence in sentences(Text(1, text, language=language)):
        assert sentence.words
        assert sentence.words == [text[s:e] for s, e in sentence.offsets]
        for start, end in sentence.offsets:
            for i in range(start, end):
                covered[i] += 1
    assert covered == [0 if character.isspace() else 1 for character in text]


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
        ("Don't go, Nokia's CEO", ["Do", "n't", "go", ",", "Nokia", "'s", "CEO"]),
        ("@you #tag me@x.org", ["@", "you", "#", "tag", "me@x.org"]),
        ("see https://t.co/ab. Or", ["see", "https://t.co/ab", ".", "Or"]),
        ("the U.S. in 3.14", ["the", "U.S.", "in", "3.14"]),
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
        ("Went home. slept. woke", 3),
        ("Yahoo! is old. “Really?” She laughed.", 4),
        ("version 2.5 came ... and went", 1),
        ("他来了。他走了！", 2),
        ("first line\r\nsecond line\rthird", 3),
        ("what?! @you said so", 2),
        ("He left. “Why?” she asked.", 3),
        ("", 0),
        (" \n\t\r\n", 0),
    ],
)
def test_raw_text_is_cut_at_sentence_ends_with_care(text: str, count: int) -> None:
    assert len(words(text)) == count


def test_each_language_has_its_own_abbreviations() -> None:
    german = "Er las ca. zehn Seiten bzw. Kapitel. Dann schlief er."
    assert len(words(german, "de")) == 2
    assert len(words(german, "xx")) > 2


@pytest.mark.parametrize("language", ["ja", "ko", "th", "vi", "zh", "he"])
def test_languages_whose_words_need_another_package_are_cut_by_character(language: str) -> None:
    assert words("東京タワーA1。はい", language) == [[*"東京タワー", "A1", "。"], [*"はい"]]


@pytest.mark.parametrize("language", ["tlh", "", "char_classes", "../en"])
def test_a_language_without_rules_is_refused(language: str) -> None:
    with pytest.raises(ValueError, match=f"no rules for the language {language!r}"):
        words("nuqneH", language)


def test_a_long_paragraph_without_spaces_is_cut_where_its_sentences_end() -> None:
    sentence = "北京大学的学生昨天在图书馆里读书。"
    assert {"".join(found) for found in words(sentence * 200, "zh")} == {sentence}
    clusters = words("👩‍👩‍👧é" * 1000)
    assert {word for found in clusters for word in found} == {"👩‍👩‍👧", "é"}


def test_what_has_met_too_many_words_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "MAX_VOCABULARY", 2000)
    before = languages.pipeline("la")
    words(" ".join(f"w{i}" for i in range(2000)), "la")
    assert languages.pipeline("la") is not before
    assert len(languages.pipeline("la").vocab) < 2000


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
    for unit in (
        "ab.",
        "a@",
        "1",
        "x",
        "http://",
        "!",
        "a.",
        "字",
        "$",
        "a! ",
        "'",
        "👩‍👩‍👧",
        "!" * 49 + "a",
    ):
        text = (unit * (60_000 // len(unit))).strip()
        assert "".join(w for sentence in words(text) for w in sentence) == text.replace(" ", "")

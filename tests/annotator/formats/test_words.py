"""The tokenisation that a CoNLL export uses where a document has no words of its own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.formats.words import words


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ana Lee's cat.", ["Ana", "Lee", "'", "s", "cat", "."]),
        ("  a\n\tb  ", ["a", "b"]),
        ("snake_case 3.14", ["snake_case", "3", ".", "14"]),
        ("e\u0301te\u0301 naïve", ["e\u0301te\u0301", "naïve"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שלום, مرحبا", ["שלום", ",", "مرحبا"]),
        ("東京へAna", ["東", "京", "へ", "Ana"]),
        ("ภาษาไทย", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("👩‍👩‍👧👍🏽🇳🇿🇬🇧!", ["👩‍👩‍👧", "👍🏽", "🇳🇿", "🇬🇧", "!"]),
        ("a\u200bb\u2028c\ufeff", ["a", "b", "c"]),
        ("", []),
        (" \u200b ", []),
    ],
)
def test_text_is_cut_into_words(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@settings(deadline=None)  # a busy machine is no failure
@given(st.text())
def test_words_are_in_order_and_hold_every_visible_character(text: str) -> None:
    spans = words(text)
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    covered = {index for start, end in spans for index in range(start, end)}
    assert all(index in covered for index, c in enumerate(text) if c.isalnum())
    assert not any(c in "\t\n\r " for token in cut(text) for c in token)

"""The demo corpus keeps its promises: counts, labels, hard cases, and errors that name the line."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from annotator.demo import corpus
from annotator.demo.corpus import DemoText

TEXTS = corpus.read()
GOLD = [text for text in TEXTS if text.gold]
TO_REVIEW = [text for text in TEXTS if not text.gold]


def surfaces(text: DemoText) -> list[tuple[str, str]]:
    return [(text.text[m.start : m.end], m.label) for m in text.mentions]


def test_each_kind_has_fifty_gold_texts_and_fifty_to_review() -> None:
    counts = Counter((text.kind, text.split) for text in TEXTS)
    assert counts == {
        (kind, split): count
        for kind in ("social", "news", "ticket")
        for split, count in (("train", 40), ("dev", 10), ("none", 50))
    }
    assert all(text.gold == (text.split != "none") for text in TEXTS)


def test_every_fifth_gold_text_is_held_out() -> None:
    assert [text.split for text in TEXTS[:10]] == [*["train"] * 4, "dev"] * 2


def test_every_label_is_described_and_learnable() -> None:
    used = Counter(m.label for text in GOLD for m in text.mentions)
    in_dev = {m.label for text in GOLD if text.split == "dev" for m in text.mentions}
    names = [label.name for label in corpus.labels()]
    assert len(names) >= 6
    assert set(used) == set(names) == in_dev
    assert min(used.values()) >= 15
    assert all("Example:" in label.description for label in corpus.labels())


def test_texts_are_short_clean_and_all_different() -> None:
    folded = {text.text.casefold() for text in TEXTS}
    assert len(folded) == 300
    for text in TEXTS:
        assert text.text == " ".join(text.text.split())
        assert 15 <= len(text.text.split()) <= 45, text.text


def test_mentions_are_whole_words_in_order_and_do_not_overlap() -> None:
    for text in GOLD:
        end = 0
        for mention in text.mentions:
            assert end <= mention.start < mention.end <= len(text.text)
            surface = text.text[mention.start : mention.end]
            assert surface == surface.strip()
            around = text.text[mention.start - 1 : mention.start] + text.text[mention.end :][:1]
            assert not any(character.isalnum() for character in around), text.text
            end = mention.end


def test_offsets_are_code_points() -> None:
    text = next(text for text in GOLD if "Glasgow" in text.text and "Georgia" in text.text)
    assert surfaces(text) == [
        ("Georgia", "location"),
        ("Glasgow", "location"),
        ("Pavolan", "organization"),
    ]
    assert any(not text.text.isascii() and text.mentions for text in GOLD)
    assert any(ord(character) > 0xFFFF for text in GOLD for character in text.text)


def test_hard_cases_are_there() -> None:
    labels_of: dict[str, set[str]] = defaultdict(set)
    for text in GOLD:
        for surface, label in surfaces(text):
            labels_of[surface.casefold()].add(label)
    ambiguous = {surface for surface, found in labels_of.items() if len(found) > 1}
    assert {"velm", "halvern", "wren", "penhallow", "gravelheart", "georgia"} <= ambiguous
    empty = sum(not text.mentions for text in GOLD)
    assert 0.10 <= empty / len(GOLD) <= 0.15
    per_text = sum(len(text.mentions) for text in GOLD) / len(GOLD)
    assert 1.5 <= per_text <= 2.1


def test_names_recur_in_gold_and_in_the_texts_to_review() -> None:
    names = Counter(s.casefold() for text in GOLD for s, _ in surfaces(text))
    assert sum(count > 1 for count in names.values()) >= 0.4 * len(names)
    to_review = "\n".join(text.text.casefold() for text in TO_REVIEW)
    assert sum(name in to_review for name in names) >= 0.5 * len(names)


def test_texts_to_review_carry_no_markup() -> None:
    assert not any(text.mentions for text in TO_REVIEW)
    assert not any("[" in text.text or "]" in text.text for text in TEXTS)


def test_guidelines_are_plain_text() -> None:
    assert corpus.guidelines().startswith("How to mark names")
    assert not any(sign in corpus.guidelines() for sign in ("**", "`", "## "))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# ours\n\n## social\nHi [Ana Lee](person)\nHi [Ana", "corpus.txt:5: broken markup"),
        ("## news\nHi [Ana Lee] (person)", "corpus.txt:2: broken markup"),
        ("## news\nHi [Ana Lee](people)", "corpus.txt:2: unknown label 'people'"),
        ("## news\nHi [Ana Lee]()", "corpus.txt:2: unknown label ''"),
        ("## poems\nHi", "corpus.txt:1: unknown kind 'poems'"),
        ("Hi\n## news", "corpus.txt:1: text before the first heading"),
        ("## news\n" + "Hi\n" * 50 + "Hi [Ana Lee](person)", "corpus.txt:52: markup in a text"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        corpus.read(path)


def test_a_hashtag_at_the_start_is_text_not_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("# a comment\n#\n## social\n#[Velm](group) won 🎉", encoding="utf-8")
    (text,) = corpus.read(path)
    assert text.text == "#Velm won 🎉"
    assert surfaces(text) == [("Velm", "group")]

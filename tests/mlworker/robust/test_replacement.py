from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlworker.alignment import Gold, align
from mlworker.data import WordSpan
from mlworker.robust.replacement import (
    augmented,
    copied,
    names,
    renamed,
    replaceable,
    replaced,
)
from mlworker.schema import Mention, Text
from mlworker.segmentation import Sentence

LABELS = ("person", "place")
PERSON, PLACE = 1, 2


def made(*sentences: tuple[str, dict[WordSpan, int]]) -> Gold:
    return Gold(
        [Sentence([(0, 0)] * len(text.split()), text.split()) for text, _ in sentences],
        [spans for _, spans in sentences],
        0,
    )


@st.composite
def golds(draw: st.DrawFn) -> Gold:
    """Sentences with mentions apart, adjacent or nested."""
    sentences = []
    for words in draw(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=8), max_size=5)):
        spans = {}
        for _ in range(draw(st.integers(0, 4)) if words else 0):
            first = draw(st.integers(0, len(words) - 1))
            width = draw(st.integers(0, min(2, len(words) - 1 - first)))
            spans[first, width] = draw(st.sampled_from([PERSON, PLACE]))
        sentences.append((" ".join(words), spans))
    return made(*sentences)


def outside(sentence: Sentence, spans: list[WordSpan]) -> list[list[str]]:
    """The words between `spans`."""
    ends = [0, *(first + width + 1 for first, width in spans)]
    starts = [*(first for first, _ in spans), len(sentence.words)]
    return [sentence.words[a:b] for a, b in zip(ends, starts, strict=True)]


@given(golds(), st.integers(0, 99))
def test_replaced_mentions_read_as_names_of_their_class_and_the_rest_as_before(
    gold: Gold, seed: int
) -> None:
    known = names(gold)
    for sentence, spans in zip(gold.sentences, gold.spans, strict=True):
        copy, moved = replaced(sentence, spans, known, Random(seed), 1.0)
        assert [moved[span] for span in sorted(moved)] == [spans[span] for span in sorted(spans)]
        old, new = replaceable(spans), replaceable(moved)
        assert outside(copy, new) == outside(sentence, old)
        for (was, by), (first, width) in zip(old, new, strict=True):
            name = tuple(copy.words[first : first + width + 1])
            assert name in known[moved[first, width]]
            assert len(known[moved[first, width]]) == 1 or name != tuple(
                sentence.words[was : was + by + 1]
            )
        assert [copy.words[i] for i in range(len(copy.words))] == [
            " ".join(copy.words)[s:e] for s, e in copy.offsets
        ]


@given(golds(), st.integers(0, 99))
def test_the_same_seed_gives_the_same_copies(gold: Gold, seed: int) -> None:
    assert augmented(gold, Random(seed), 0.5) == augmented(gold, Random(seed), 0.5)


def test_adjacent_mentions_change_each_by_itself() -> None:
    gold = made(
        ("東京 Ada !", {(0, 0): PLACE, (1, 0): PERSON}),
        ("Łódź Grace Hopper", {(0, 0): PLACE, (1, 1): PERSON}),
    )
    copy = copied(gold, Random(1))
    assert copy.sentences[0].words == ["Łódź", "Grace", "Hopper", "!"]
    assert copy.spans[0] == {(0, 0): PLACE, (1, 1): PERSON}


def test_overlapping_mentions_and_lonely_names_stay() -> None:
    gold = made(
        ("New York Times", {(0, 1): PLACE, (0, 2): PERSON}),
        ("in Paris", {(1, 0): PLACE}),
        ("Bo", {(0, 0): PERSON}),
    )
    copy = copied(gold, Random(1))
    assert [s.words for s in copy.sentences] == [s.words for s in gold.sentences]
    assert copy.spans == gold.spans


def test_augmenting_adds_only_copies_that_differ(corpus: list[Text]) -> None:
    gold = align(corpus, LABELS)
    found = augmented(gold, Random(1), 1.0)
    assert found.sentences[: len(gold.sentences)] == gold.sentences
    assert len(found.sentences) == len(gold.sentences) + sum(map(bool, gold.spans))
    assert augmented(gold, Random(1), 0.0) == gold


def test_about_the_share_asked_for_is_replaced() -> None:
    gold = made(*[(f"so {name} said", {(1, 0): PERSON}) for name in ("Ada", "Bo")] * 500)
    more = augmented(gold, Random(1), 0.3)
    assert len(more.sentences) - 1000 == pytest.approx(300, abs=45)


def test_about_the_share_asked_for_of_the_sentences_gets_other_names() -> None:
    named = [(f"so {name} said", {(1, 0): PERSON}) for name in ("Ada", "Bo")] * 500
    gold = made(*named, ("nobody", {}))
    found = renamed(gold, names(gold), Random(1), 0.3)
    changed = sum(a.words != b.words for a, b in zip(gold.sentences, found.sentences, strict=True))
    assert changed == pytest.approx(300, abs=45)
    assert (found.sentences[-1], found.spans[-1]) == (gold.sentences[-1], {})


def test_names_come_from_the_texts_given_alone(corpus: list[Text]) -> None:
    """The trainer gives the training texts' gold, so nothing of dev or test can get in."""
    gold = align(corpus[:8], LABELS)
    seen = {name for known in names(gold).values() for name in known}
    copies = augmented(gold, Random(1), 1.0)
    assert {name for known in names(copies).values() for name in known} <= seen


def test_a_copy_has_the_same_sentences_with_the_same_classes_in_order() -> None:
    text = "Ada met Grace Hopper.\r\nThen Paris. New York is in the New York area"
    mentions = [
        Mention(0, 3, "person"),
        Mention(8, 20, "person"),
        Mention(28, 33, "place"),
        Mention(35, 43, "place"),
        Mention(54, 62, "place"),
        Mention(54, 67, "place"),  # nested
    ]
    gold = align([Text(1, text, None, mentions)], LABELS)
    copy = copied(gold, Random(2))
    assert copy.sentences != gold.sentences
    for old, new in zip(gold.spans, copy.spans, strict=True):
        assert [old[span] for span in sorted(old)] == [new[span] for span in sorted(new)]


def test_augmented_gold_remembers_what_words_cannot_express(corpus: list[Text]) -> None:
    broken = Text(99, "Adagio", None, [Mention(0, 3, "person")])
    gold = align([*corpus, broken], LABELS)
    more = augmented(gold, Random(1), 1.0)
    assert more.misaligned == gold.misaligned == 1
    assert len(more.sentences) > len(gold.sentences)

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlworker.alignment import align
from mlworker.robust.replacement import (
    Name,
    as_texts,
    augment,
    augmented,
    copied,
    names,
    paired,
    replaceable,
    replaced,
)
from mlworker.schema import Mention, Text

LABELS = ("person", "place")
WORDS = st.text(st.sampled_from("aZ9é字👩\u200d'-ل"), min_size=1, max_size=4)


@st.composite
def texts(draw: st.DrawFn) -> Text:
    """Words beside each other or apart, on lines; mentions apart, adjacent or nested."""
    text, tokens = "", []
    for word in draw(st.lists(WORDS, max_size=8)):
        text += draw(st.sampled_from(["", " ", "  ", "\n"]))
        tokens.append((len(text), len(text) + len(word)))
        text += word
    text += draw(st.sampled_from(["", " ."]))
    mentions = []
    for _ in range(draw(st.integers(0, 4)) if tokens else 0):
        first = draw(st.integers(0, len(tokens) - 1))
        last = draw(st.integers(first, min(first + 2, len(tokens) - 1)))
        label = draw(st.sampled_from(LABELS))
        mentions.append(Mention(tokens[first][0], tokens[last][1], label))
    return Text(draw(st.integers(0, 99)), text, tokens if draw(st.booleans()) else None, mentions)


def outside(text: Text, mentions: list[Mention]) -> list[str]:
    """What `text` reads between `mentions`."""
    ends = [0, *(m.end for m in mentions)]
    starts = [*(m.start for m in mentions), len(text.text)]
    return [text.text[a:b] for a, b in zip(ends, starts, strict=True)]


@given(st.lists(texts(), max_size=5), st.integers(0, 99))
def test_replaced_mentions_read_as_names_of_their_label_and_the_rest_as_before(
    corpus: list[Text], seed: int
) -> None:
    known = names(corpus)
    for text in corpus:
        copy = replaced(text, known, Random(seed), 1.0)
        assert [m.label for m in copy.mentions] == [m.label for m in text.mentions]
        free = sorted(replaceable(text))
        moved = sorted(replaceable(copy))
        assert outside(copy, moved) == outside(text, free)
        for old, new in zip(free, moved, strict=True):
            pool = {name.surface for name in known[old.label, text.tokens is not None]}
            surface = copy.text[new.start : new.end]
            assert surface in pool
            if len(pool) > 1 and text.tokens is None:
                assert surface != text.text[old.start : old.end]


@given(st.lists(texts(), max_size=5), st.integers(0, 99))
def test_given_words_follow_the_names_and_the_others_stay(corpus: list[Text], seed: int) -> None:
    known = names(corpus)
    for text in corpus:
        copy = replaced(text, known, Random(seed), 1.0)
        if text.tokens is None or copy.tokens is None:
            assert copy.tokens is text.tokens is None
            continue
        cut = list(zip(copy.tokens, copy.tokens[1:], strict=False))
        assert all(before[1] <= after[0] for before, after in cut)
        spans = sorted(replaceable(copy))
        words = [(s, e) for s, e in copy.tokens if not any(m.start <= s < m.end for m in spans)]
        free = sorted(replaceable(text))
        old = [(s, e) for s, e in text.tokens if not any(m.start <= s < m.end for m in free)]
        assert [copy.text[s:e] for s, e in words] == [text.text[s:e] for s, e in old]
        for mention in spans:
            inside = [t for t in copy.tokens if mention.start <= t[0] < mention.end]
            tokens = tuple((s - mention.start, e - mention.start) for s, e in inside)
            name = Name(copy.text[mention.start : mention.end], tokens)
            assert name in known[mention.label, True]


@given(st.lists(texts(), max_size=4), st.integers(0, 99))
def test_the_same_seed_gives_the_same_copies(corpus: list[Text], seed: int) -> None:
    assert augment(corpus, Random(seed), 0.5) == augment(corpus, Random(seed), 0.5)


def spoken(text: str, *mentions: tuple[str, str]) -> Text:
    found = [Mention(text.index(n), text.index(n) + len(n), label) for n, label in mentions]
    return Text(1, text, None, found)


def test_adjacent_mentions_change_each_by_itself() -> None:
    text = spoken("東京Ada👩‍💻!", ("東京", "place"), ("Ada", "person"))
    other = spoken("Łódź Grace Hopper", ("Łódź", "place"), ("Grace Hopper", "person"))
    copy, _ = paired([text, other], Random(1))
    assert copy.text == "ŁódźGrace Hopper👩‍💻!"
    assert copy.mentions == [Mention(0, 4, "place"), Mention(4, 16, "person")]


def test_overlapping_and_misaligned_mentions_and_lonely_names_stay() -> None:
    nested = spoken("New York Times", ("New York", "place"), ("New York Times", "person"))
    inside_a_word = Text(2, "Adagio", [(0, 6)], [Mention(0, 3, "person")])
    across_lines = spoken("Ada\nKing", ("Ada\nKing", "person"))
    lonely = spoken("in Paris", ("Paris", "place"))
    corpus = [nested, inside_a_word, across_lines, lonely, spoken("Bo", ("Bo", "person"))]
    assert paired(corpus, Random(1)) == corpus


def test_augmenting_adds_only_copies_that_differ(corpus: list[Text]) -> None:
    found = augment(corpus, Random(1), 1.0)
    assert found[: len(corpus)] == corpus
    assert len(found) == len(corpus) + sum(bool(text.mentions) for text in corpus)
    assert augment(corpus, Random(1), 0.0) == corpus


def test_about_the_share_asked_for_is_replaced() -> None:
    texts = [spoken(f"so {name} said", (name, "person")) for name in ("Ada", "Bo")] * 500
    assert len(augment(texts, Random(1), 0.3)) - len(texts) == pytest.approx(300, abs=45)


def test_names_come_from_the_texts_given_alone(corpus: list[Text]) -> None:
    """The trainer gives the training texts' gold, so nothing of dev or test can get in."""
    seen = {t.text[m.start : m.end] for t in corpus[:8] for m in t.mentions}
    copies = augment(corpus[:8], Random(1), 1.0)
    assert {t.text[m.start : m.end] for t in copies for m in t.mentions} <= seen


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
    copy = copied(gold, LABELS, Random(2))
    assert copy.sentences != gold.sentences
    for old, new in zip(gold.spans, copy.spans, strict=True):
        assert [old[span] for span in sorted(old)] == [new[span] for span in sorted(new)]


def test_sentences_as_texts_hold_the_same_gold(corpus: list[Text]) -> None:
    gold = align(corpus, LABELS)
    again = align(as_texts(gold, LABELS), LABELS)
    assert again.spans == gold.spans
    assert [s.words for s in again.sentences] == [s.words for s in gold.sentences]


def test_a_line_break_within_a_given_word_does_not_cut_its_sentence() -> None:
    gold = align([Text(1, "A\nB met", [(0, 3), (4, 7)], [Mention(0, 3, "person")])], LABELS)
    assert align(as_texts(gold, LABELS), LABELS).spans == gold.spans


def test_augmented_gold_remembers_what_words_cannot_express(corpus: list[Text]) -> None:
    broken = Text(99, "Adagio", None, [Mention(0, 3, "person")])
    gold = align([*corpus, broken], LABELS)
    more = augmented(gold, LABELS, Random(1), 1.0)
    assert more.misaligned == gold.misaligned == 1
    assert len(more.sentences) > len(gold.sentences)

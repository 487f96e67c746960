from __future__ import annotations

from random import Random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlworker.config import ModelConfig
from mlworker.data import (
    IGNORED,
    SHAPES,
    WordPieces,
    batches,
    collate,
    targets,
    windows,
    word_shape,
)
from mlworker.schema import Text
from mlworker.segmentation import sentences

CONFIG = ModelConfig(labels=("a", "b"), max_width=3, window_pieces=64, word_pieces=8)
WORDS = st.lists(
    st.sampled_from(["a", "paris", "hopper", "zzzzzzzzz", "ünï", "字", "👍🏽"]), min_size=1
)
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(words=st.lists(WORDS, min_size=1, max_size=4).map(lambda w: [x * 8 for x in w]))
def test_every_span_belongs_to_exactly_one_window(
    words: list[list[str]], word_pieces: WordPieces
) -> None:
    cut = sentences(Text(1, "\n".join(" ".join(line) for line in words)))
    found: list[tuple[int, int, int]] = []
    for window in windows(cut, word_pieces, CONFIG):
        assert len(window.pieces) <= CONFIG.window_pieces
        spans = collate([window], CONFIG.max_width).spans[0]
        found += [
            (window.sentence, window.offset + int(i), int(width)) for i, width in spans.nonzero()
        ]
    expected = [
        (number, first, width)
        for number, sentence in enumerate(cut)
        for first in range(len(sentence.words))
        for width in range(min(CONFIG.max_width, len(sentence.words) - first))
    ]
    assert sorted(found) == expected


def test_a_window_joins_its_words_pieces_and_knows_where_each_begins_and_ends(
    word_pieces: WordPieces,
) -> None:
    cut = sentences(Text(1, "Paris xy"))
    (window,) = windows(cut, word_pieces, CONFIG)
    pieces = [word_pieces.tokenizer.id_to_token(i) for i in window.pieces]
    assert pieces == ["[CLS]", "paris", "x", "##y", "[SEP]"]
    assert (window.first, window.last) == ([1, 2], [1, 3])


def test_a_word_never_has_no_pieces_nor_too_many(word_pieces: WordPieces) -> None:
    cut = sentences(Text(1, "\u200d " + "q" * 5000 + " \u0301"))
    known = word_pieces(cut)
    assert all(1 <= len(known[w]) <= 8 for sentence in cut for w in sentence.words)


@relaxed
@given(lengths=st.lists(st.integers(1, 60), max_size=40), seed=st.integers(0, 5))
def test_batches_hold_every_window_once_and_keep_to_the_budget(
    lengths: list[int], seed: int, word_pieces: WordPieces
) -> None:
    cut = sentences(Text(1, "\n".join("a " * n for n in lengths)))
    parts = windows(cut, word_pieces, CONFIG)
    for shuffle in (None, Random(seed)):
        found = batches(parts, 100, shuffle)
        assert sorted(i for batch in found for i in batch) == list(range(len(parts)))
        for batch in found:
            assert len(batch) == 1 or len(batch) * max(len(parts[i].pieces) for i in batch) <= 100


def test_collate_pads_and_targets_mark_gold_and_what_is_no_span(word_pieces: WordPieces) -> None:
    cut = sentences(Text(1, "a Paris today\nParis"))
    parts = windows(cut, word_pieces, CONFIG)
    batch = collate(parts, CONFIG.max_width)
    assert batch.pieces.shape == batch.mask.shape
    assert batch.mask.sum(1).tolist() == [len(w.pieces) for w in parts]
    classes = targets(parts, [{(1, 0): 2, (0, 7): 1}, {(0, 0): 1}], batch.spans)
    assert classes.tolist() == [
        [[0, 0, 0], [2, 0, IGNORED], [0, IGNORED, IGNORED]],
        [[1, IGNORED, IGNORED], [IGNORED] * 3, [IGNORED] * 3],
    ]
    assert torch.equal(classes != IGNORED, batch.spans)


@given(st.text(min_size=1))
def test_every_word_has_a_shape(word: str) -> None:
    assert 1 <= word_shape(word) < SHAPES


def test_shapes_tell_case_apart() -> None:
    words = ["@you", "#tag", "www.x.org", "12", "?!", "x2", "NASA", "A", "rain", "Paris", "iPhone"]
    assert [word_shape(w) for w in words] == list(range(1, 12))


def test_a_window_too_short_to_move_on_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        ModelConfig(labels=("a",), max_width=10, window_pieces=100)


@pytest.mark.parametrize("labels", [(), ("O",), ("a", "a")])
def test_labels_must_be_distinct_entities(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="labels"):
        ModelConfig(labels=labels, max_width=4)


def test_forgotten_case_is_lower_case_and_nothing_else_changes(word_pieces: WordPieces) -> None:
    config = ModelConfig(labels=("person",), max_width=4)
    cut = windows(sentences(Text(1, "NATO met Ada at 9 #now\nit rains .")), word_pieces, config)
    batch = collate(cut, 4)
    bare = batch.without_case(1.0)
    lower = [word_shape(w) for w in ("nato", "met", "ada", "at", "9", "#", "now")]
    assert bare.shapes[0].tolist() == lower
    assert bare.pieces is batch.pieces
    assert batch.without_case(0.0).cases.equal(batch.cases)
    assert set(bare.cases[1].tolist()) == {0, word_shape("rains"), word_shape(".")}

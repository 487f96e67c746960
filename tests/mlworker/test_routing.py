from __future__ import annotations

import inspect
import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlworker import inference
from mlworker.routing import CANDIDATE_FLOOR, Spans, candidates, mentions
from mlworker.schema import Mention, Text
from mlworker.versions import LocalModel


@st.composite
def spans(draw: st.DrawFn) -> Spans:
    """All spans up to 3 words of a sentence of up to 6, with probabilities of three classes."""
    words = draw(st.integers(1, 6))
    cells = [(i, j) for i in range(words) for j in range(i, min(i + 3, words))]
    weights = draw(
        st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=len(cells), max_size=len(cells))
    )
    p = np.array(weights)
    first, last = np.array(cells).T
    return Spans(first, last, p / p.sum(1, keepdims=True))


def overlap(found: Spans, i: int, j: int) -> bool:
    return bool(found.first[i] <= found.last[j] and found.first[j] <= found.last[i])


@given(spans())
def test_mentions_are_entities_do_not_overlap_and_leave_out_only_what_a_better_one_covers(
    found: Spans,
) -> None:
    chosen = mentions(found)
    best, top = found.probabilities.argmax(1), found.probabilities.max(1)
    assert all(best[i] > 0 for i in chosen)
    assert not any(overlap(found, i, j) for i in chosen for j in chosen if i < j)
    for i in set(np.flatnonzero(best).tolist()) - set(chosen):
        assert any(overlap(found, i, j) and top[j] >= top[i] for j in chosen)


@settings(deadline=None)
@given(st.lists(spans(), max_size=5), st.floats(0, 200))
def test_candidates_keep_to_their_budget_and_out_of_the_way_of_mentions(
    sentences: list[Spans], per_100: float
) -> None:
    taken = [mentions(found) for found in sentences]
    chosen = candidates(sentences, taken, per_100)
    assert len(chosen) == len(sentences)
    assert sum(map(len, chosen)) <= math.ceil(len(sentences) * per_100 / 100)
    for found, used, picked in zip(sentences, taken, chosen, strict=True):
        assert all(found.probabilities[i].argmax() == 0 for i in picked)
        assert all(found.mass[i] >= CANDIDATE_FLOOR for i in picked)
        assert not any(overlap(found, i, j) for i in picked for j in [*used, *picked] if i != j)


def test_the_budget_goes_to_the_greatest_entity_mass_wherever_it_is() -> None:
    def one(mass: float) -> Spans:
        return Spans(np.array([0]), np.array([0]), np.array([[1 - mass, mass]]))

    sentences = [one(0.1), one(0.4), one(0.3), one(0.04)]
    nothing: list[list[int]] = [[], [], [], []]
    assert candidates(sentences, nothing, 50) == [[], [0], [0], []]
    assert candidates(sentences, nothing, 100) == [[0], [0], [0], []]
    assert candidates(sentences, nothing, 1) == [[], [0], [], []]
    assert candidates(sentences, nothing, 0) == nothing
    assert candidates(sentences, nothing, -50) == nothing
    assert candidates(sentences, nothing, 100, floor=0.35) == [[], [0], [], []]


def test_gold_in_the_texts_changes_nothing_of_what_is_routed(untrained: LocalModel) -> None:
    """The published LinkNER code asks about missed mentions because gold names them."""
    bare = [Text(number, "Ada lives in New York\nwe saw Linus") for number in range(3)]
    planted = [replace(text, mentions=[Mention(13, 21, "place")]) for text in bare]
    wrong = [replace(text, mentions=[Mention(0, 1, "person")]) for text in bare]
    for method in untrained.config.head.methods:
        expected = inference.tag_with(untrained, bare, method, 100)
        assert inference.tag_with(untrained, planted, method, 100) == expected
        assert inference.tag_with(untrained, wrong, method, 100) == expected


def test_nothing_that_chooses_spans_can_be_given_gold() -> None:
    for function in (mentions, candidates, inference.score):
        assert not {"gold", "mentions", "texts"} & set(inspect.signature(function).parameters)

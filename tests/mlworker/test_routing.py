from __future__ import annotations

import inspect
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlworker import inference
from mlworker.routing import MASS_FLOOR, Spans, candidates, mentions


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
    chosen = candidates(sentences, per_100)
    assert len(chosen) == len(sentences)
    assert sum(map(len, chosen)) <= math.ceil(len(sentences) * per_100 / 100)
    for found, picked in zip(sentences, chosen, strict=True):
        taken = mentions(found)
        assert all(found.probabilities[i].argmax() == 0 for i in picked)
        assert all(found.mass[i] >= MASS_FLOOR for i in picked)
        assert not any(overlap(found, i, j) for i in picked for j in [*taken, *picked] if i != j)


def test_the_budget_goes_to_the_greatest_entity_mass_wherever_it_is() -> None:
    def one(mass: float) -> Spans:
        return Spans(np.array([0]), np.array([0]), np.array([[1 - mass, mass]]))

    sentences = [one(0.1), one(0.4), one(0.3), one(0.04)]
    assert candidates(sentences, 50) == [[], [0], [0], []]
    assert candidates(sentences, 100) == [[0], [0], [0], []]
    assert candidates(sentences, 1) == [[], [0], [], []]
    assert candidates(sentences, 0) == [[], [], [], []]


def test_nothing_that_chooses_spans_can_be_given_gold() -> None:
    for function in (mentions, candidates, inference.score):
        assert not {"gold", "mentions", "texts"} & set(inspect.signature(function).parameters)

"""What checked spans teach about whom to believe."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mlworker import fusion, pooling
from mlworker.fusion import Rules
from mlworker.pooling import Rows
from mlworker.schema import NO_ENTITY, Audited, Evidence, Lane, Mention, Routing

LABELS = ["person", "place"]


def documents(count: int, *, llm_right: float, seed: int = 0) -> list[Audited]:
    """One routed span each, which the local model takes for a place: half of them are one, the
    others no entity. The LLM says what is right so often, else the opposite."""
    draw = random.Random(seed)
    out = []
    for number in range(count):
        is_place = number % 2 == 0
        says_place = is_place if draw.random() < llm_right else not is_place
        probabilities = {"person": 0.0, "place": 0.6, NO_ENTITY: 0.4}
        span = Evidence(
            0, 4, Lane.MENTION, "place", 0.4, probabilities, "place" if says_place else NO_ENTITY
        )
        out.append(Audited([span], [Mention(0, 4, "place")] if is_place else []))
    return out


def test_below_a_number_of_checked_spans_nothing_is_learned() -> None:
    enough = documents(pooling.FEWEST_SPANS, llm_right=0.9)
    assert pooling.learn(enough[1:], LABELS, tau=0.0) is None
    assert pooling.learn(enough, LABELS, tau=0.0) is not None


def test_spans_below_tau_teach_nothing() -> None:
    assert pooling.learn(documents(300, llm_right=0.9), LABELS, tau=0.5) is None


def unanswered(lane: Lane, chance: float) -> Evidence:
    probabilities = {"person": 0.0, "place": chance, NO_ENTITY: 1 - chance}
    return Evidence(10, 14, lane, "place", 0.4, probabilities, reason="no server")


def test_that_unanswered_spans_were_no_entities_decides_nothing_about_the_next_one() -> None:
    """Candidates left unanswered were none of them mentions: a mention left so goes to a person."""
    left = unanswered(Lane.CANDIDATE, 0.3)
    taught = [
        Audited([*document.evidence, left], document.gold)
        for document in documents(400, llm_right=0.9)
    ]
    pool = pooling.learn(taught, LABELS, tau=0.0)
    assert pool is not None
    assert pool.spans == 400
    (fused,) = fusion.fuse([unanswered(Lane.MENTION, 0.6)], Rules(0.0, asks=True, pool=pool))
    assert (fused.label, fused.routing) == ("place", Routing.HUMAN)
    assert fused.reason.endswith("The LLM gave no answer: no server.")


@pytest.mark.parametrize("llm_right", [0.9, 0.1])
def test_an_llm_that_is_mostly_wrong_is_believed_the_other_way_round(llm_right: float) -> None:
    pool = pooling.learn(documents(400, llm_right=llm_right), LABELS, tau=0.0)
    rules = Rules(0.0, asks=True, pool=pool)
    unseen = documents(400, llm_right=llm_right, seed=1)
    pooled, replaced = pooling.score(unseen, rules), pooling.score(unseen, Rules(0.0, asks=True))
    assert pooled.f1 == pytest.approx(90, abs=5)
    assert replaced.f1 == pytest.approx(100 * llm_right, abs=5)


def test_the_probability_of_being_right_is_about_how_often_that_is_right() -> None:
    pool = pooling.learn(documents(1000, llm_right=0.8), LABELS, tau=0.0)
    unseen = documents(1000, llm_right=0.8, seed=1)
    fused = [fusion.fuse(d.evidence, Rules(0.0, asks=True, pool=pool))[0] for d in unseen]
    said = np.mean([outcome.right for outcome in fused])
    right = np.mean(
        [
            outcome.label == (document.gold[0].label if document.gold else None)
            for outcome, document in zip(fused, unseen, strict=True)
        ]
    )
    assert said == pytest.approx(right, abs=0.04)


def test_same_spans_same_weights() -> None:
    audited = documents(300, llm_right=0.7)
    assert pooling.learn(audited, LABELS, 0.0) == pooling.learn(audited, LABELS, 0.0)


def test_fitted_weights_are_where_the_penalised_likelihood_is_flat() -> None:
    draw = np.random.default_rng(0)
    rows = Rows(["a", "b", "c"], draw.normal(size=(60, 2, 3)), draw.integers(0, 3, 60))
    penalties = np.array([0.1, 1.0, 0.5])
    weights = pooling.fit(rows, penalties)
    for direction in np.eye(3):
        step = 1e-5 * direction
        slope = (
            pooling.loss(rows, penalties, weights + step)
            - pooling.loss(rows, penalties, weights - step)
        ) / 2e-5
        assert slope == pytest.approx(0, abs=1e-4)


def test_the_loss_is_that_of_a_softmax_written_out() -> None:
    draw = np.random.default_rng(1)
    rows = Rows(["a", "b"], draw.normal(size=(5, 2, 2)), np.array([0, 1, 2, 2, 0]))
    weights, penalties = np.array([0.3, -0.7]), np.array([0.2, 0.4])
    expected = float((penalties * weights**2).sum() / 2)
    for features, right in zip(rows.features, rows.classes, strict=True):
        sums = [*(float(row @ weights) for row in features), 0.0]
        expected -= sums[right] - np.log(np.exp(sums).sum())
    assert pooling.loss(rows, penalties, weights) == pytest.approx(expected, abs=1e-9)

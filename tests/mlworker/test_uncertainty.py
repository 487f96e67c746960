from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlworker.schema import Method
from mlworker.uncertainty import METHODS, entropy, evidential, least_confidence, mc_dropout

distributions = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=12).filter(
    lambda p: sum(p) > 0.1
)


@given(distributions)
def test_each_method_follows_its_formula(weights: list[float]) -> None:
    p = [w / sum(weights) for w in weights]
    row = np.array([p])
    assert least_confidence(row)[0] == pytest.approx(1 - max(p), abs=1e-12)
    expected = -math.fsum(x * math.log(x) for x in p if x > 0) / math.log(len(p))
    assert entropy(row)[0] == pytest.approx(expected, abs=1e-12)


@given(distributions)
def test_uncertainty_is_between_nought_and_one(weights: list[float]) -> None:
    row = np.array([weights], dtype=np.float32) / np.float32(sum(weights))
    for method in METHODS.values():
        assert 0 <= method(row)[0] <= 1


def test_sure_and_unsure_are_the_ends_of_the_scale() -> None:
    assert entropy(np.array([[1.0, 0.0, 0.0]]))[0] == 0
    assert entropy(np.full((1, 4), 0.25))[0] == pytest.approx(1)
    assert least_confidence(np.array([[0.0, 1.0]]))[0] == 0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_no_spans_too(method: Method) -> None:
    empty: NDArray[np.float64] = np.empty((0, 3))
    assert METHODS[method](empty).shape == (0,)


@given(st.integers(0, 99), st.integers(1, 6))
def test_dropout_is_the_mean_of_the_entropies_not_the_entropy_of_the_mean(
    seed: int, count: int
) -> None:
    passes = np.random.default_rng(seed).dirichlet([0.5] * 4, (count, 3))
    for span in range(3):
        entropies = [
            -math.fsum(p * math.log(p) for p in one[span] if p > 0) / math.log(4) for one in passes
        ]
        expected = math.fsum(entropies) / count
        assert mc_dropout(passes)[span] == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(1, 1e5), min_size=2, max_size=9))
def test_evidential_uncertainty_is_one_without_evidence_and_falls_with_it(
    alpha: list[float],
) -> None:
    row = np.array([alpha])
    assert evidential(row)[0] == pytest.approx(len(alpha) / math.fsum(alpha), abs=1e-9)
    assert evidential(np.ones_like(row))[0] == 1
    assert evidential(row + 1)[0] < evidential(row)[0]

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlworker import temperature
from mlworker.temperature import FEWEST_SPANS, RANGE, fit, surprise


def drawn(seed: int, spans: int, true: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits that are `true` times too large for the classes drawn by them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (spans, 5))
    rows = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    classes = np.array([random.choice(5, p=row) for row in rows])
    return true * logits, classes


@pytest.mark.parametrize("true", [0.5, 1.0, 1.85, 4.0])
def test_the_temperature_that_spoiled_the_logits_is_found(true: float) -> None:
    logits, classes = drawn(1, 4000, true)
    assert fit(logits, classes) == pytest.approx(true, rel=0.08)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0.3, 5))
def test_no_other_temperature_fits_better(seed: int, true: float) -> None:
    logits, classes = drawn(seed, 60, true)
    best = surprise(logits, classes, fit(logits, classes))
    for other in np.geomspace(*RANGE, 25):
        assert best <= surprise(logits, classes, float(other)) + 1e-6


def test_overconfidence_becomes_confidence() -> None:
    logits, classes = drawn(2, 3000, 3.0)

    def gap(scaled: NDArray[np.float64]) -> float:
        rows = np.exp(scaled) / np.exp(scaled).sum(1, keepdims=True)
        return float(abs(rows.max(1).mean() - (rows.argmax(1) == classes).mean()))

    assert gap(logits) > 0.1
    assert gap(logits / fit(logits, classes)) < 0.02


def test_few_spans_say_nothing() -> None:
    logits, classes = drawn(3, FEWEST_SPANS - 1, 4.0)
    assert fit(logits, classes) == 1
    assert temperature.fit(np.empty((0, 3)), np.empty(0, dtype=int)) == 1

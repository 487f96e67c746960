"""Temperature scaling: one number that makes probabilities mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlworker.uncertainty import Floats

FEWEST_SPANS = 30
"""With fewer spans, a temperature would follow chance."""

RANGE = (0.25, 10.0)
STEPS = 60
GOLDEN = (5**0.5 - 1) / 2


def fit(logits: Floats, classes: NDArray[np.integer]) -> float:
    """The temperature T that minimises the mean of -ln softmax(logits / T)[class].

    Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017). *Shapes:* (n, C), (n,).
    1 where there are fewer than `FEWEST_SPANS`. The mean is convex in 1 / T, so it has one
    minimum along ln T too, which golden-section search finds.
    """
    if len(classes) < FEWEST_SPANS:
        return 1.0
    rows = logits.astype(np.float64)
    low, high = np.log(RANGE)
    for _ in range(STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if surprise(rows, classes, np.exp(left)) <= surprise(rows, classes, np.exp(right)):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)


def surprise(logits: Floats, classes: NDArray[np.integer], temperature: float) -> float:
    """Mean negative log-likelihood of `classes` at `temperature`, in nats."""
    scaled = logits / temperature
    top = scaled.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
    return float((total - scaled[np.arange(len(classes)), classes]).mean())

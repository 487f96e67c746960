"""How unsure a span's probabilities are: pure functions, 0 (sure) to 1. *Shape:* (n, C) to (n,).

Equations are numbered as in LinkNER (Zhang et al., WWW '24, arXiv 2402.10573).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mlworker.schema import Method

Floats = NDArray[np.floating]


def least_confidence(probabilities: Floats) -> Floats:
    """u = 1 - max_c p_c (eq. 1)."""
    u: Floats = np.clip(1 - probabilities.max(axis=-1), 0, 1)
    return u


def entropy(probabilities: Floats) -> Floats:
    """u = -Σ_c p_c ln p_c / ln C (eq. 2, divided by its maximum; 0 ln 0 = 0)."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1))
    u: Floats = -(probabilities * logs).sum(axis=-1) / np.log(probabilities.shape[-1])
    return np.clip(u, 0, 1)


def mc_dropout(passes: Floats) -> Floats:
    """u = mean over M passes with dropout of the entropy in each (eq. 3), divided by ln C.

    *Shape:* (M, n, C) to (n,).
    """
    u: Floats = entropy(passes).mean(axis=0)
    return u


def evidential(concentrations: Floats) -> Floats:
    """u = C / Σ_c α_c, the share of the Dirichlet distribution that is no evidence (eq. 4)."""
    u: Floats = concentrations.shape[-1] / concentrations.sum(axis=-1)
    return u


METHODS: dict[Method, Callable[[Floats], Floats]] = {
    Method.LEAST_CONFIDENCE: least_confidence,
    Method.ENTROPY: entropy,
}
"""Those that probabilities alone give; the others need the model (`inference.read`)."""

"""Losses and their gradients against references in float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from mlworker.data import IGNORED
from mlworker.losses import LOSSES, PENALTY, concentration, cross_entropy, evidential
from mlworker.schema import Head

Rows = NDArray[np.float64]
Classes = NDArray[np.int64]


def cross_entropy_reference(logits: Rows, classes: Classes, _progress: float) -> float:
    rows = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return float(-np.log(rows[np.arange(len(classes)), classes]).mean())


def evidential_reference(logits: Rows, classes: Classes, progress: float) -> float:
    """Equations 4 to 8, span by span and class by class."""
    losses = []
    for row, right in zip(logits, classes, strict=True):
        evidence = np.exp(row)
        alpha = evidence + 1
        strength, y = alpha.sum(), np.eye(len(row))[right]
        weight = (1 - evidence / strength) * y
        classification = (weight * (digamma(strength) - digamma(alpha))).sum()
        masked = y + (1 - y) * alpha
        kl = gammaln(masked.sum()) - gammaln(masked).sum() - gammaln(len(row))
        kl += ((masked - 1) * (digamma(masked) - digamma(masked.sum()))).sum()
        u = len(row) / strength
        wrong = alpha.argmax() != right
        losses.append(classification + progress * PENALTY * (kl - wrong * np.log(u)))
    return float(np.mean(losses))


REFERENCES = {Head.SOFTMAX: cross_entropy_reference, Head.EVIDENTIAL: evidential_reference}


def sample(seed: int, spans: int = 7, classes: int = 4) -> tuple[Rows, Classes]:
    random = np.random.default_rng(seed)
    return random.normal(0, 2, (spans, classes)), random.integers(0, classes, spans)


@pytest.mark.parametrize("head", list(Head))
@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_loss_and_gradient_are_the_formula(head: Head, progress: float, seed: int) -> None:
    logits, classes = sample(seed)
    tensor = torch.tensor(logits, requires_grad=True)
    loss = LOSSES[head](tensor, torch.tensor(classes), progress)
    reference = REFERENCES[head]
    assert loss.item() == pytest.approx(reference(logits, classes, progress), abs=1e-9)
    loss.backward()  # type: ignore[no-untyped-call]
    assert tensor.grad is not None
    step = 1e-6
    for place in np.ndindex(logits.shape):
        nudge = np.zeros_like(logits)
        nudge[place] = step
        above = reference(logits + nudge, classes, progress)
        below = reference(logits - nudge, classes, progress)
        assert tensor.grad[place].item() == pytest.approx((above - below) / 2 / step, abs=1e-6)


@pytest.mark.parametrize("head", list(Head))
def test_what_is_no_span_counts_for_nothing(head: Head) -> None:
    logits, classes = sample(1)
    alone = LOSSES[head](torch.tensor(logits), torch.tensor(classes), 0.5)
    beside = torch.cat([torch.tensor(logits), torch.full((3, 4), 50.0, dtype=torch.float64)])
    marked = torch.cat([torch.tensor(classes), torch.full((3,), IGNORED)])
    shape = (5, 2)
    found = LOSSES[head](beside.reshape(*shape, 4), marked.reshape(shape), 0.5)
    assert found.item() == pytest.approx(alone.item(), abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.sampled_from([-200.0, -80.0, 0.0, 80.0, 200.0]), min_size=3, max_size=3))
def test_the_most_extreme_logits_leave_loss_and_gradient_finite(row: list[float]) -> None:
    for loss in (cross_entropy, evidential):
        logits = torch.tensor([row], requires_grad=True)
        found = loss(logits, torch.tensor([1]), 1.0)
        found.backward()  # type: ignore[no-untyped-call]
        assert found.isfinite()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_without_evidence_every_class_is_as_likely() -> None:
    assert torch.equal(concentration(torch.full((1, 3), -1000.0)), torch.ones(1, 3))

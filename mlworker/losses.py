"""What training minimises, one loss per head.

*Shapes:* logits (…, C) and classes (…); a class of `IGNORED` marks what is no span. `progress` is
the share of the training that is done.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from mlworker.data import IGNORED
from mlworker.schema import Head

PENALTY = 0.1
"""λ₁ = λ₂ of eq. 8 at the end of training; they rise to it linearly from 0, so that evidence can
gather before it is penalised."""

MOST_EVIDENCE = 10.0
"""Logits above it give no more evidence: e^10 says all there is to say, e^89 is no float."""


def cross_entropy(logits: Tensor, classes: Tensor, progress: float = 0.0) -> Tensor:
    """Mean cross-entropy over the spans, at any `progress`."""
    del progress
    return functional.cross_entropy(logits.flatten(0, -2), classes.flatten(), ignore_index=IGNORED)


def concentration(logits: Tensor) -> Tensor:
    """α = e + 1 of the Dirichlet distribution, with evidence e = exp(logits) (LinkNER eq. 4)."""
    return logits.clamp(max=MOST_EVIDENCE).exp() + 1


def evidential(logits: Tensor, classes: Tensor, progress: float) -> Tensor:
    """Mean E-NER loss over the spans (Zhang et al., Findings of ACL 2023; LinkNER eq. 5-8).

    The mean keeps it from growing with the batch, which the sum in the published code does.
    """
    spans = classes != IGNORED
    alpha, chosen = concentration(logits[spans]), classes[spans]
    strength = alpha.sum(-1)
    right = alpha.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
    weight = 1 - (right - 1) / strength
    classification = weight * (torch.digamma(strength) - torch.digamma(right))
    wrong = alpha.argmax(-1) != chosen
    # -log u = log(Σα / C)
    doubt = torch.where(wrong, (strength / alpha.shape[-1]).log(), 0)
    scale = PENALTY * min(max(progress, 0.0), 1.0)
    return (classification + scale * (_misleading(alpha, chosen) + doubt)).mean()


def _misleading(alpha: Tensor, chosen: Tensor) -> Tensor:
    """KL(Dir(α̃) ‖ Dir(1)), α̃ being α with the evidence for the right class taken away (eq. 8).

    *Shapes:* (n, C) and (n,) to (n,).
    """
    masked = alpha.scatter(-1, chosen.unsqueeze(-1), 1.0)
    strength = masked.sum(-1, keepdim=True)
    spread = (masked - 1) * (torch.digamma(masked) - torch.digamma(strength))
    constant = math.lgamma(alpha.shape[-1])
    normaliser = torch.lgamma(strength).squeeze(-1) - torch.lgamma(masked).sum(-1)
    return normaliser - constant + spread.sum(-1)


LOSSES: dict[Head, Callable[[Tensor, Tensor, float], Tensor]] = {
    Head.SOFTMAX: cross_entropy,
    Head.EVIDENTIAL: evidential,
}

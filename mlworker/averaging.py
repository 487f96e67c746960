"""Averaging the weights over the last steps of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

import torch
from torch import nn


class Average:
    """An exponential moving average of the weights that are trained: it smooths the last steps,
    as a longer decay of the learning rate would (Polyak and Juditsky, 1992)."""

    def __init__(self, model: nn.Module, rate: float) -> None:
        self.rate = rate
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.means = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        for mean, weight in zip(self.means, self.weights, strict=True):
            mean.lerp_(weight, self.rate)

    def copy(self) -> Average:
        """The average as it is now."""
        found = copy(self)
        found.means = [mean.clone() for mean in self.means]
        return found

    @torch.no_grad()
    def keep(self) -> None:
        """The average takes the place of the weights."""
        for mean, weight in zip(self.means, self.weights, strict=True):
            weight.copy_(mean)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """As `keep`, for a while."""
        last = [weight.detach().clone() for weight in self.weights]
        self.keep()
        try:
            yield
        finally:
            with torch.no_grad():
                for weight, old in zip(self.weights, last, strict=True):
                    weight.copy_(old)

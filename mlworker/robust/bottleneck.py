"""A variational information bottleneck, and what can be asked of the Gaussians in it.

*Sources:* Alemi et al., Deep variational information bottleneck, ICLR 2017 (VaniB); Wang et al.,
MINER, ACL 2022; its bounds are those of van den Oord et al., Contrastive predictive coding, 2018,
and of Federici et al., Multi-view information bottleneck, ICLR 2020.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

FIRST_LOG_VARIANCE = -2.0
"""Little noise to begin with, so that the first steps learn from the representation's mean."""

WIDEST_LOG_VARIANCE = 8.0
"""Bounds the logarithm of a variance on both sides: its exponential must stay a float."""


class Gaussian(NamedTuple):
    """A diagonal normal distribution. *Shapes:* mean and log_variance (…, D)."""

    mean: Tensor
    log_variance: Tensor

    def drawn(self) -> Tensor:
        """A sample that gradients pass through. *Shape:* (…, D)."""
        noise = torch.randn_like(self.mean)
        return self.mean + noise * (self.log_variance / 2).exp()

    def at(self, index: Tensor | tuple[Tensor, ...]) -> Gaussian:
        """Those at `index`, in no less than float32: sums over D features need it."""
        mean, log_variance = self.mean[index], self.log_variance[index]
        least = torch.promote_types(mean.dtype, torch.float32)
        return Gaussian(mean.to(least), log_variance.to(least))


class Bottleneck(nn.Module):
    """p(z|x) = N(μ(x), σ²(x)): a sample of it in training, its mean otherwise (Alemi et al. §3).

    `critic` says which two samples belong together; only MINER trains it.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, size)
        self.log_variance = nn.Linear(features, size)
        nn.init.constant_(self.log_variance.bias, FIRST_LOG_VARIANCE)
        self.critic = nn.Linear(size, size, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """*Shapes:* (…, features) to (…, size)."""
        if self.training:
            return self.parted(self.spread(features)).drawn()
        mean: Tensor = self.mean(features)
        return mean

    def spread(self, features: Tensor) -> Tensor:
        """Mean and log variance side by side. *Shapes:* (…, features) to (…, 2 * size)."""
        return torch.cat([self.mean(features), self.log_variance(features)], -1)

    @staticmethod
    def parted(spread: Tensor) -> Gaussian:
        """What `spread` put side by side."""
        mean, log_variance = spread.chunk(2, -1)
        return Gaussian(mean, log_variance.clamp(-WIDEST_LOG_VARIANCE, WIDEST_LOG_VARIANCE))

    def scores(self, first: Tensor, second: Tensor) -> Tensor:
        """How well each of `first` goes with each of `second`: the bilinear critic of van den
        Oord et al. (eq. 3). *Shapes:* (n, size) twice to (n, n)."""
        # In float32 or better, whatever the weights are in: there are few pairs.
        weights = self.critic.weight.to(first.dtype)
        scores: Tensor = functional.linear(first, weights) @ second.T / first.shape[-1] ** 0.5
        return scores


def kl(found: Gaussian) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) in nats, an upper bound of what z says of x (Alemi et al. eq. 14-17).

    *Shapes:* (…, D) to (…).
    """
    mean, log_variance = found
    return (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1) / 2


def divergence(first: Gaussian, second: Gaussian) -> Tensor:
    """Half the KL either way, in nats: the information in z that is not of what both views share
    (Federici et al., D_SKL; MINER's superfluous information).

    MINER writes the Jensen-Shannon divergence, which has no closed form between Gaussians; this
    is at least twice as large. *Shapes:* (n, D) twice to (), the mean, 0 where n is.
    """
    apart = (first.mean - second.mean) ** 2
    one_way = (first.log_variance.exp() + apart) * (-second.log_variance).exp()
    other_way = (second.log_variance.exp() + apart) * (-first.log_variance).exp()
    # The logarithms of the two ways cancel.
    return (one_way + other_way - 2).sum() / (4 * max(len(apart), 1))


def info_nce(scores: Tensor) -> Tensor:
    """How hard it is to find each one's partner among all, in nats (van den Oord et al. eq. 4).

    log n less this bounds the mutual information of the partners from below, which MINER
    maximises (generalizing information). *Shapes:* (n, n), partners on the diagonal, to (), the
    mean, 0 where n is.
    """
    partners = torch.arange(len(scores), device=scores.device)
    return functional.cross_entropy(scores, partners, reduction="sum") / max(len(scores), 1)

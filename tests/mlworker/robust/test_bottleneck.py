from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from mlworker.robust.bottleneck import Bottleneck, Gaussian, divergence, info_nce, kl
from mlworker.uncertainty import Floats


def draw(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).normal(size=shape)


def gradient(value: Tensor, *of: Tensor) -> list[Floats]:
    return [g.numpy() for g in torch.autograd.grad(value, of)]


def leaf(array: Floats) -> Tensor:
    return torch.tensor(array, requires_grad=True)


def test_the_kl_and_its_gradient_agree_with_the_formula() -> None:
    mean, log_variance = draw(1, 5, 7), draw(2, 5, 7)
    mu, variance = leaf(mean), leaf(log_variance)
    found = kl(Gaussian(mu, variance))
    expected = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(-1)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-6)
    by_mean, by_variance = gradient(found.sum(), mu, variance)
    np.testing.assert_allclose(by_mean, mean, atol=1e-6)
    np.testing.assert_allclose(by_variance, 0.5 * (np.exp(log_variance) - 1), atol=1e-6)


def one_way(m1: Floats, v1: Floats, m2: Floats, v2: Floats) -> Floats:
    """KL(N(m1, v1) ‖ N(m2, v2)), term by term."""
    found: Floats = 0.5 * (np.log(v2 / v1) + (v1 + (m1 - m2) ** 2) / v2 - 1).sum(-1)
    return found


def test_the_divergence_and_its_gradient_agree_with_the_formula() -> None:
    given_ = [draw(seed, 4, 6) for seed in range(4)]

    def expected(m1: Floats, s1: Floats, m2: Floats, s2: Floats) -> float:
        both = one_way(m1, np.exp(s1), m2, np.exp(s2)) + one_way(m2, np.exp(s2), m1, np.exp(s1))
        return float((both / 2).mean())

    leaves = [leaf(array) for array in given_]
    found = divergence(Gaussian(*leaves[:2]), Gaussian(*leaves[2:]))
    assert found.item() == pytest.approx(expected(*given_), abs=1e-6)
    for number, by in enumerate(gradient(found, *leaves)):
        np.testing.assert_allclose(by, numeric(expected, given_, number), atol=1e-6)


def numeric(function: Callable[..., float], arrays: list[Floats], number: int) -> Floats:
    """The gradient by the array `number`, by central differences."""
    step, out = 1e-5, np.zeros_like(arrays[number])
    for index in np.ndindex(*out.shape):
        sides = []
        for sign in (1, -1):
            moved = [array.copy() for array in arrays]
            moved[number][index] += sign * step
            sides.append(function(*moved))
        out[index] = (sides[0] - sides[1]) / (2 * step)
    return out


def test_equal_distributions_do_not_diverge_and_the_order_of_two_does_not_matter() -> None:
    first = Gaussian(torch.tensor(draw(1, 3, 4)), torch.tensor(draw(2, 3, 4)))
    second = Gaussian(torch.tensor(draw(3, 3, 4)), torch.tensor(draw(4, 3, 4)))
    assert divergence(first, first).item() == pytest.approx(0, abs=1e-12)
    assert divergence(first, second).item() == pytest.approx(divergence(second, first).item())


def test_info_nce_and_its_gradient_agree_with_the_formula() -> None:
    scores = draw(5, 6, 6)
    odds = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    given_ = leaf(scores)
    found = info_nce(given_)
    assert found.item() == pytest.approx(-np.log(np.diag(odds)).mean(), abs=1e-6)
    (by_scores,) = gradient(found, given_)
    np.testing.assert_allclose(by_scores, (odds - np.eye(6)) / 6, atol=1e-6)


def test_partners_that_nothing_tells_apart_cost_the_logarithm_of_their_number() -> None:
    assert info_nce(torch.zeros(8, 8)).item() == pytest.approx(np.log(8))


def test_no_pair_and_one_pair_cost_nothing() -> None:
    none = torch.zeros(0, 4)
    assert info_nce(torch.zeros(0, 0)) == info_nce(torch.ones(1, 1)) == 0
    assert divergence(Gaussian(none, none), Gaussian(none, none)) == 0


def test_the_critic_compares_every_pair() -> None:
    bottleneck = Bottleneck(3, 4).double()
    first, second = torch.tensor(draw(1, 5, 4)), torch.tensor(draw(2, 5, 4))
    expected = first.numpy() @ bottleneck.critic.weight.detach().numpy().T @ second.numpy().T / 2
    found = bottleneck.scores(first, second).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_bottleneck_gives_its_mean_in_evaluation_and_draws_in_training() -> None:
    torch.manual_seed(1)
    bottleneck, features = Bottleneck(6, 4), torch.randn(2000, 6)
    bottleneck.eval()
    assert bottleneck(features).equal(bottleneck(features))
    bottleneck.train()
    assert not bottleneck(features).equal(bottleneck(features))
    gaussian = bottleneck.parted(bottleneck.spread(features))
    noise = (bottleneck(features) - gaussian.mean) / (gaussian.log_variance / 2).exp()
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    assert noise.std().item() == pytest.approx(1, abs=0.05)


def test_no_variance_leaves_the_range_of_floats() -> None:
    gaussian = Bottleneck.parted(torch.tensor([[0.0, 1e9], [0.0, -1e9]]))
    other = Gaussian(gaussian.mean, gaussian.log_variance.flip(0))
    assert kl(gaussian).isfinite().all()
    assert divergence(gaussian, other).isfinite()

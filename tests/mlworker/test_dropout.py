from __future__ import annotations

import pytest
import torch
from torch import nn

from mlworker.dropout import Dropout, quicken


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_a_share_is_dropped_and_the_mean_is_kept(p: float, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    found = Dropout(p)(torch.ones(400, 500, dtype=kind))
    assert found.dtype is kind
    assert (found == 0).float().mean().item() == pytest.approx(p, abs=0.005)
    assert found.float().mean().item() == pytest.approx(1, abs=0.01)
    assert len(found.unique()) == 2


def test_gradients_pass_where_values_do() -> None:
    given = torch.ones(100, 100, requires_grad=True)
    found = Dropout(0.3)(given)
    found.sum().backward()
    torch.testing.assert_close(given.grad, found.detach())


def test_the_seed_decides_and_each_call_drops_others() -> None:
    def masks() -> list[torch.Tensor]:
        torch.manual_seed(7)
        return [Dropout(0.5)(torch.ones(999)) for _ in range(2)]

    first, second = masks()
    assert not torch.equal(first, second)
    assert all(map(torch.equal, masks(), (first, second)))


def test_nothing_is_dropped_when_a_model_serves_or_at_no_probability() -> None:
    given = torch.rand(50)
    assert Dropout(0.5).eval()(given) is given
    assert torch.equal(Dropout(0.0)(given), given)


def test_every_dropout_inside_a_model_takes_part() -> None:
    inner = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.2))
    model = nn.ModuleDict({"a": inner, "b": nn.Dropout(0.4)})
    quicken(model)
    found = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert [(type(module), module.p) for module in found] == [(Dropout, 0.2), (Dropout, 0.4)]

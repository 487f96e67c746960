"""Dropout whose mask is drawn quickly on a CPU, where torch draws one number after the other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """As `nn.Dropout`, with its probability in 256ths: a random byte decides each element.

    The bytes follow from torch's own seed, so the same seed gives the same mask.
    """

    def forward(self, given: Tensor) -> Tensor:
        """*Shapes:* (…) to (…)."""
        dropped = round(256 * self.p)
        if not (self.training and dropped) or given.device.type != "cpu":
            return super().forward(given)
        seed = int(torch.randint(2**62, ()))
        words = np.random.SFC64(seed).random_raw(given.numel() // 8 + 1)
        drawn = torch.from_numpy(words.view(np.uint8)[: given.numel()]).view(given.shape)
        return given * (drawn >= dropped).to(given.dtype).mul_(256 / (256 - dropped))


def quicken(model: nn.Module) -> None:
    """Puts a `Dropout` in the place of every `nn.Dropout` inside `model`."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))

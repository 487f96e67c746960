"""Mixed precision: weights in bfloat16 compute, their originals in float32 learn.

*Source:* Micikevicius et al., Mixed precision training, ICLR 2018; bfloat16 has the range of
float32, so the loss needs no scaling.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch

from mlworker import hardware
from mlworker.versions import LocalModel


class Working:
    """A copy of a model for the passes of its training: in the precision that is fastest here.

    Its gradients go back to the original, and what the original learns from them comes back.
    """

    def __init__(self, original: LocalModel) -> None:
        classifier = deepcopy(original.classifier).train()
        if hardware.fast_bfloat16(original.device):
            classifier.bfloat16()
        if original.device.type == "cpu":
            # The gradient of the fused kernel takes several times as long there.
            classifier.encoder.set_attn_implementation("eager")
        self.model = replace(original, classifier=classifier)
        pairs = zip(original.classifier.parameters(), classifier.parameters(), strict=True)
        self._pairs = [(learned, working) for learned, working in pairs if learned.requires_grad]

    def forget(self) -> None:
        """Drops the gradients that were found so far."""
        for _, working in self._pairs:
            working.grad = None

    def hand_back(self) -> None:
        """The gradients become those of the original."""
        for learned, working in self._pairs:
            learned.grad = None if working.grad is None else working.grad.to(learned.dtype)
        self.forget()

    @torch.no_grad()
    def follow(self) -> None:
        """The weights become those of the original."""
        for learned, working in self._pairs:
            working.copy_(learned)

"""What training minimises on one batch: the head's loss, and what robust training adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from mlworker.alignment import Gold
from mlworker.config import TrainConfig
from mlworker.data import Window, WordSpan, collate, targets, windows
from mlworker.losses import LOSSES
from mlworker.robust.bottleneck import Gaussian, divergence, info_nce, kl
from mlworker.robust.replacement import copied
from mlworker.versions import LocalModel

Place = tuple[int, int, int]
"""A mention in a batch: its window, first word and width less one."""


@dataclass(frozen=True)
class Copies:
    """The same sentences with other names, and the windows of each that has a mention.

    The n-th of the sorted spans of a sentence stands for the n-th of the original's.
    """

    gold: Gold
    windows: dict[int, list[Window]]

    @classmethod
    def drawn(cls, gold: Gold, model: LocalModel, random: Random) -> Copies:
        found = copied(gold, random)
        cut: dict[int, list[Window]] = {}
        for window in windows(found.sentences, model.word_pieces, model.config):
            if found.spans[window.sentence]:
                cut.setdefault(window.sentence, []).append(window)
        return cls(found, cut)

    def of(self, batch: Sequence[Window]) -> list[Window]:
        """The windows of the sentences that `batch` has windows of."""
        numbers = sorted({window.sentence for window in batch})
        return [window for number in numbers for window in self.windows.get(number, ())]


def loss(
    model: LocalModel,
    batch: Sequence[Window],
    gold: Gold,
    config: TrainConfig,
    progress: float,
    copies: Copies | None = None,
) -> Tensor:
    """The loss of `batch` at the share `progress` of the training, as a scalar.

    A model with a bottleneck adds `config.compression` times the mean KL of all spans (Alemi et
    al. eq. 17); or, where there are `copies`, what MINER wants of the mentions among them.
    """
    tensors = collate(batch, model.config.max_width).without_case(config.caseless)
    classes = targets(batch, gold.spans, tensors.spans).to(model.device)
    tensors = tensors.to(model.device)
    bottleneck = model.classifier.bottleneck
    if bottleneck is None:
        return LOSSES[config.head](model.classifier(tensors).float(), classes, progress)
    found = model.classifier.gaussians(tensors)
    logits = model.classifier.output(found.drawn())
    plain = LOSSES[config.head](logits.float(), classes, progress)
    if copies is None:
        return plain + config.compression * kl(found.at(tensors.spans)).mean()
    first, second = _pairs(model, batch, gold, found, copies)
    scores = bottleneck.scores(first.drawn(), second.drawn())
    return plain + config.shared * info_nce(scores) + config.superfluous * divergence(first, second)


def _pairs(
    model: LocalModel, batch: Sequence[Window], gold: Gold, found: Gaussian, copies: Copies
) -> tuple[Gaussian, Gaussian]:
    """The batch's mentions, and those in their places in the copies. *Shapes:* (pairs, size)."""
    others = copies.of(batch)
    ours = places(batch, gold.spans, model.config.max_width)
    theirs = places(others, copies.gold.spans, model.config.max_width)
    pairs = sorted(ours.keys() & theirs.keys())
    first = found.at(_index([ours[pair] for pair in pairs], model.device))
    if not pairs:
        return first, first
    tensors = collate(others, model.config.max_width).to(model.device)
    copied = model.classifier.gaussians(tensors)
    return first, copied.at(_index([theirs[pair] for pair in pairs], model.device))


def places(
    batch: Sequence[Window], spans: Sequence[Mapping[WordSpan, int]], max_width: int
) -> dict[tuple[int, int], Place]:
    """Where in the batch the mentions are that its windows answer for, by their sentence and
    their number among the sentence's sorted spans."""
    return {
        (window.sentence, number): (row, word - window.offset, width)
        for row, window in enumerate(batch)
        for number, (word, width) in enumerate(sorted(spans[window.sentence]))
        if word - window.offset in window.owned and width < max_width
    }


def _index(found: Sequence[Place], device: torch.device) -> tuple[Tensor, ...]:
    return torch.tensor(found, dtype=torch.long, device=device).reshape(-1, 3).unbind(1)

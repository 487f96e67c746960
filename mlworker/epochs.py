"""What a training reads in each of its epochs: the gold, some of its sentences with other names."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mlworker.alignment import Gold
from mlworker.config import Robust, TrainConfig
from mlworker.data import Window, batches, windows
from mlworker.robust.replacement import names, renamed
from mlworker.versions import LocalModel


@dataclass(frozen=True)
class Epoch:
    """Windows of the sentences of `gold`, in batches."""

    gold: Gold
    batches: list[list[Window]]


class Epochs:
    """All epochs of a training. Each is drawn when it is asked for, always the same, so that no
    more than one takes memory."""

    def __init__(self, model: LocalModel, gold: Gold, config: TrainConfig, seed: int) -> None:
        self._model, self._gold, self._seed = model, gold, seed
        self._names = names(gold)
        # What makes a training robust by the paper's means is measured without this one.
        self._renamed = config.renamed if config.robust is Robust.NONE else 0.0
        cut = windows(gold.sentences, model.word_pieces, model.config)
        self.count = config.epochs(len(cut))
        self._budget = config.batch_budget(sum(len(w.pieces) for w in cut), self.count)

    def drawn(self, number: int) -> Epoch:
        """*Source* of other names: Dai and Adel, COLING 2020 (`mlworker.robust.replacement`)."""
        random = Random(f"{self._seed} {number}")  # noqa: S311 (no secret hangs on it)
        gold = renamed(self._gold, self._names, random, self._renamed)
        cut = windows(gold.sentences, self._model.word_pieces, self._model.config)
        order = batches(cut, self._budget, random)
        return Epoch(gold, [[cut[i] for i in batch] for batch in order])

    def steps(self) -> int:
        """Batches of all epochs: not as many in each, for names differ in length."""
        return sum(len(self.drawn(number).batches) for number in range(1, self.count + 1))

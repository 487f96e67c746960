"""All that shapes a local model and its training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from mlworker.schema import NO_ENTITY, Head


class Robust(StrEnum):
    """How training keeps from learning names by heart (`mlworker.robust` has the sources)."""

    NONE = "none"
    DATAAUG = "dataaug"
    VANIB = "vanib"
    MINER = "miner"

    @property
    def has_bottleneck(self) -> bool:
        return self in {Robust.VANIB, Robust.MINER}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What a saved model version must know to be rebuilt.

    `labels` are the entity labels; class 0 is always `NO_ENTITY`. Sizes are in features, widths
    in words, lengths in sub-words; a `bottleneck_size` of 0 is none.
    """

    labels: tuple[str, ...]
    max_width: int
    head: Head = Head.SOFTMAX
    hidden_size: int = 256
    bottleneck_size: int = 0
    shape_size: int = 32
    dropout: float = 0.2
    window_pieces: int = 256
    word_pieces: int = 8

    def __post_init__(self) -> None:
        if not self.labels or NO_ENTITY in self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels must be distinct, at least one, and never {NO_ENTITY!r}")
        if self.max_width < 1:
            raise ValueError(f"max_width must be at least 1, not {self.max_width}")
        if self.max_width > self.widest(self.window_pieces, self.word_pieces):
            raise ValueError(f"a window of {self.window_pieces} sub-words is too short")

    @staticmethod
    def widest(window_pieces: int, word_pieces: int = word_pieces) -> int:
        """The widest span in words that such windows have room for.

        Two windows share 2 * max_width words; each must hold more than that to move on.
        """
        return ((window_pieces - 2) // word_pieces - 1) // 2

    @property
    def classes(self) -> tuple[str, ...]:
        return (NO_ENTITY, *self.labels)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The recipe (docs/results.md says what each choice was measured against).

    `caseless` is the share of sentences that are learned as if in lower case, so that names are
    found in careless writing too; `renamed`, of those with mentions, that of sentences that are
    learned with other names, which are drawn anew for each epoch: what stands around a name is
    learned too. `warmup` and `averaged` are shares of all steps: how long the rates rise, and about
    how many of the last ones the weights are averaged over. The number of epochs follows from the
    size of the corpus: `usual_epochs`, less where that would be more than `most_passes` sentences
    in all, more where it would be less than `fewest_passes`. Batches of a small corpus are smaller,
    so that it too is learned in at least `fewest_steps`.

    DataAug replaces the share `replaced` of the mentions; VaniB weighs the KL term with
    `compression`; MINER weighs InfoNCE with `shared` (its γ) and the divergence with
    `superfluous` (its β).
    """

    head: Head = Head.SOFTMAX
    robust: Robust = Robust.NONE
    replaced: float = 0.5
    bottleneck_size: int = 128
    compression: float = 1e-4
    shared: float = 1e-2
    superfluous: float = 1e-3
    encoder_rate: float = 1e-4
    head_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    caseless: float = 0.15
    renamed: float = 0.3
    averaged: float = 0.1
    batch_pieces: tuple[int, int] = (150, 600)
    fewest_steps: int = 200
    usual_epochs: int = 10
    fewest_passes: int = 1500
    most_passes: int = 17_000
    width_coverage: float = 0.99
    widths: tuple[int, int] = (4, 10)
    warm_share: float = 0.4

    def warmed(self) -> TrainConfig:
        """The recipe for going on from an earlier version, which knows most of it already."""
        return replace(
            self,
            usual_epochs=round(self.usual_epochs * self.warm_share),
            most_passes=round(self.most_passes * self.warm_share),
            fewest_passes=round(self.fewest_passes * self.warm_share),
        )

    def epochs(self, sentences: int) -> int:
        passes = min(max(self.usual_epochs * sentences, self.fewest_passes), self.most_passes)
        return max(round(passes / max(sentences, 1)), 4)

    def batch_budget(self, pieces: int, epochs: int) -> int:
        """Sub-words in a batch, of a corpus that has `pieces` of them."""
        smallest, largest = self.batch_pieces
        return min(max(pieces * epochs // self.fewest_steps, smallest), largest)

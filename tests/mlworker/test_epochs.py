"""What a training reads in its epochs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlworker.alignment import Gold, align
from mlworker.config import Robust, TrainConfig
from mlworker.epochs import Epoch, Epochs
from mlworker.robust.replacement import names
from mlworker.schema import Text
from mlworker.versions import LocalModel

LABELS = ("person", "place")
CONFIG = TrainConfig(renamed=1.0)


def said(gold: Gold) -> list[list[str]]:
    return [list(sentence.words) for sentence in gold.sentences]


def windows_of(epoch: Epoch) -> list[int]:
    return sorted(window.sentence for batch in epoch.batches for window in batch)


def test_names_change_from_epoch_to_epoch_and_nothing_else(
    untrained: LocalModel, corpus: list[Text]
) -> None:
    gold = align(corpus, LABELS)
    epochs = Epochs(untrained, gold, CONFIG, seed=1)
    first, second = epochs.drawn(1), epochs.drawn(2)
    assert len({str(said(found)) for found in (gold, first.gold, second.gold)}) == 3
    known = {name for found in names(gold).values() for name in found}
    for epoch in (first, second):
        assert {name for found in names(epoch.gold).values() for name in found} <= known
        assert windows_of(epoch) == list(range(len(gold.sentences)))
        for old, new in zip(gold.spans, epoch.gold.spans, strict=True):
            assert [old[span] for span in sorted(old)] == [new[span] for span in sorted(new)]


def test_an_epoch_is_the_same_whenever_it_is_drawn(
    untrained: LocalModel, corpus: list[Text]
) -> None:
    gold = align(corpus, LABELS)
    epochs = Epochs(untrained, gold, CONFIG, seed=1)
    assert epochs.drawn(1) == epochs.drawn(1)
    assert epochs.drawn(1) != Epochs(untrained, gold, CONFIG, seed=2).drawn(1)


def test_without_other_names_the_gold_is_read_as_it_is(
    untrained: LocalModel, corpus: list[Text]
) -> None:
    gold = align(corpus, LABELS)
    assert Epochs(untrained, gold, replace(CONFIG, renamed=0.0), seed=1).drawn(1).gold == gold


@pytest.mark.parametrize("robust", [Robust.DATAAUG, Robust.VANIB, Robust.MINER])
def test_robust_training_has_its_own_means_alone(
    untrained: LocalModel, corpus: list[Text], robust: Robust
) -> None:
    gold = align(corpus, LABELS)
    assert Epochs(untrained, gold, replace(CONFIG, robust=robust), seed=1).drawn(1).gold == gold


def test_steps_are_the_batches_of_all_epochs(untrained: LocalModel, corpus: list[Text]) -> None:
    epochs = Epochs(untrained, align(corpus, LABELS), CONFIG, seed=1)
    drawn = [epochs.drawn(number) for number in range(1, epochs.count + 1)]
    assert epochs.count == CONFIG.epochs(len(corpus))
    assert epochs.steps() == sum(len(epoch.batches) for epoch in drawn)

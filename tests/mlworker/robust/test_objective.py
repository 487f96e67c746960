from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import BertModel

from mlworker import inference
from mlworker.alignment import align
from mlworker.config import ModelConfig, Robust, TrainConfig
from mlworker.data import WordPieces, collate, targets, windows
from mlworker.model import SpanClassifier
from mlworker.robust import objective
from mlworker.robust.objective import Copies, places
from mlworker.schema import Head, Mention, Method, Text
from mlworker.training import Corpus, train
from mlworker.versions import LocalModel

LABELS = ("person", "place")


@pytest.fixture
def narrow(encoder_folder: Path, word_pieces: WordPieces) -> LocalModel:
    """An untrained model with a bottleneck."""
    torch.manual_seed(3)
    config = ModelConfig(labels=LABELS, max_width=4, bottleneck_size=8)
    encoder = BertModel.from_pretrained(encoder_folder, add_pooling_layer=False)
    return LocalModel(config, SpanClassifier(config, encoder).eval(), word_pieces)


def test_what_passes_the_bottleneck_is_what_the_logits_rest_on(
    narrow: LocalModel, corpus: list[Text]
) -> None:
    gold = align(corpus, LABELS)
    cut = windows(gold.sentences, narrow.word_pieces, narrow.config)
    batch = collate(cut, 4)
    with torch.no_grad():
        found = narrow.classifier.gaussians(batch)
        logits = narrow.classifier(batch)
        again = narrow.classifier.output(found.mean)
    torch.testing.assert_close(again[batch.spans], logits[batch.spans])


def test_a_model_without_a_bottleneck_says_so(untrained: LocalModel, corpus: list[Text]) -> None:
    cut = windows(align(corpus, LABELS).sentences, untrained.word_pieces, untrained.config)
    with pytest.raises(ValueError, match="no bottleneck"):
        untrained.classifier.gaussians(collate(cut, 4))


def test_places_are_those_of_the_targets(untrained: LocalModel) -> None:
    """In windows of a long sentence too, each mention in the one that answers for it."""
    words = ["we"] * 400
    text = Text(1, " ".join(words), None, [Mention(3 * n, 3 * n + 5, "place") for n in range(390)])
    gold = align([text], LABELS)
    cut = windows(gold.sentences, untrained.word_pieces, untrained.config)
    assert len(cut) > 1
    found = places(cut, gold.spans, 4)
    classes = targets(cut, gold.spans, collate(cut, 4).spans)
    assert sorted(found.values()) == [tuple(at) for at in (classes > 0).nonzero().tolist()]
    assert [number for _, number in sorted(found)] == list(range(390))
    assert places(cut, gold.spans, 1) == {}


@pytest.mark.parametrize("robust", [Robust.VANIB, Robust.MINER])
def test_what_robust_training_adds_is_weighed_as_configured(
    narrow: LocalModel, corpus: list[Text], robust: Robust
) -> None:
    gold = align(corpus, LABELS)
    cut = windows(gold.sentences, narrow.word_pieces, narrow.config)
    copies = Copies.drawn(gold, narrow, Random(1)) if robust is Robust.MINER else None
    off = TrainConfig(robust=robust, caseless=0, compression=0, shared=0, superfluous=0)

    def loss(config: TrainConfig) -> float:
        torch.manual_seed(1)
        with torch.no_grad():
            return objective.loss(narrow, cut, gold, config, 0.5, copies).item()

    plain = loss(off)
    for name in ("shared", "superfluous") if copies else ("compression",):
        once, twice = (loss(replace(off, **{name: weight})) for weight in (0.1, 0.2))
        assert once > plain
        assert twice - plain == pytest.approx(2 * (once - plain), rel=1e-3)


def test_a_batch_without_mentions_has_no_pairs(narrow: LocalModel, corpus: list[Text]) -> None:
    gold = align(corpus, LABELS)
    cut = windows(gold.sentences, narrow.word_pieces, narrow.config)
    plain = [window for window in cut if not gold.spans[window.sentence]]
    copies = Copies.drawn(gold, narrow, Random(1))
    assert plain
    assert copies.of(plain) == []
    found = objective.loss(narrow, plain, gold, TrainConfig(robust=Robust.MINER), 0.5, copies)
    assert found.isfinite()


@pytest.mark.parametrize("head", Head)
@pytest.mark.parametrize("robust", Robust)
def test_each_option_learns_twenty_texts_and_its_version_tags_as_it_was_measured(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path, robust: Robust, head: Head
) -> None:
    config = TrainConfig(
        head=head,
        robust=robust,
        encoder_rate=1e-3,
        head_rate=3e-3,
        caseless=0,
        fewest_passes=600,
        bottleneck_size=32,
    )
    trained = train(
        Corpus(LABELS, corpus, corpus),
        tmp_path / "v",
        encoder=str(encoder_folder),
        config=config,
        methods=[Method.LEAST_CONFIDENCE],
    )
    assert trained.dev is not None
    assert trained.dev.f1 >= 95
    loaded = inference.load(tmp_path / "v")
    assert bool(loaded.classifier.bottleneck) is robust.has_bottleneck
    answers = [inference.tag_with(loaded, corpus, Method.LEAST_CONFIDENCE, 0) for _ in range(2)]
    assert answers[0] == answers[1]
    found = {(t.id, s.start, s.end, s.label) for t in answers[0] for s in t.spans}
    gold = {(t.id, m.start, m.end, m.label) for t in corpus for m in t.mentions}
    assert len(found ^ gold) <= 2


def test_robust_training_is_repeatable(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    config = TrainConfig(robust=Robust.MINER, fewest_passes=60, fewest_steps=20)
    weights = []
    for name in "ab":
        folder = tmp_path / name
        train(Corpus(LABELS, corpus, []), folder, encoder=str(encoder_folder), config=config)
        weights.append((folder / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_a_version_without_the_bottleneck_is_no_start_for_one_with_it(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    quick = TrainConfig(fewest_passes=60, fewest_steps=20)
    gold, folder = Corpus(LABELS, corpus, []), tmp_path / "v"
    train(gold, folder, encoder=str(encoder_folder), config=quick)
    for robust in (Robust.VANIB, Robust.DATAAUG):
        trained = train(
            gold,
            tmp_path / robust,
            encoder=str(encoder_folder),
            start=folder,
            config=replace(quick, robust=robust),
        )
        assert trained.warm is not robust.has_bottleneck

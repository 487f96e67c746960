from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mlworker import hardware, inference, training, versions
from mlworker.alignment import align
from mlworker.config import ModelConfig, TrainConfig
from mlworker.data import Batch, windows
from mlworker.measuring import measure
from mlworker.model import SpanClassifier
from mlworker.precision import Working
from mlworker.schema import Head, Mention, Method, Text
from mlworker.training import Corpus, Trained, train
from mlworker.versions import LocalModel

LABELS = ("person", "place")
QUICK = TrainConfig(fewest_passes=60, fewest_steps=20)


@pytest.fixture
def run(encoder_folder: Path, corpus: list[Text], tmp_path: Path) -> Trained:
    return train(
        Corpus(LABELS, corpus, corpus[:8]),
        tmp_path / "v1",
        encoder=str(encoder_folder),
        config=QUICK,
    )


def test_twenty_texts_are_learned_by_heart(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    config = TrainConfig(encoder_rate=1e-3, head_rate=3e-3, fewest_passes=600)
    trained = train(
        Corpus(LABELS, corpus, corpus), tmp_path / "v1", encoder=str(encoder_folder), config=config
    )
    assert trained.dev is not None
    assert trained.dev.f1 == 100
    tagged = inference.tag(tmp_path / "v1", corpus, Method.LEAST_CONFIDENCE, 0)
    for text, answer in zip(corpus, tagged, strict=True):
        assert [(s.start, s.end, s.label) for s in answer.spans] == [
            (m.start, m.end, m.label) for m in text.mentions
        ]


def test_the_figures_are_those_of_the_version_that_was_saved(
    run: Trained, corpus: list[Text], tmp_path: Path
) -> None:
    assert measure(inference.load(tmp_path / "v1"), corpus[:8]) == (run.dev, run.calibrations)
    facts = versions.read_config(tmp_path / "v1")
    assert facts["taus"] == {m.value: run.calibrations[m].tau for m in Head.SOFTMAX.methods}


def test_the_same_seed_gives_the_same_version_and_another_does_not(
    run: Trained, encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    def sum_of(seed: int) -> str:
        folder = tmp_path / f"seed{seed}"
        train(
            Corpus(LABELS, corpus, corpus[:8]),
            folder,
            seed=seed,
            encoder=str(encoder_folder),
            config=QUICK,
        )
        return versions.sha256(folder / "model.safetensors")

    first = versions.sha256(tmp_path / "v1" / "model.safetensors")
    assert sum_of(1) == first
    assert sum_of(2) != first


def test_without_dev_texts_there_are_no_scores_and_the_default_threshold(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    trained = train(
        Corpus(LABELS, corpus, []), tmp_path / "v", encoder=str(encoder_folder), config=QUICK
    )
    assert trained.dev is None
    assert "default" in trained.calibrations[Method.ENTROPY].note


def test_mixed_precision_learns_too(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda _: True)
    config = TrainConfig(encoder_rate=1e-3, head_rate=3e-3, fewest_passes=400)
    trained = train(
        Corpus(LABELS, corpus, corpus), tmp_path / "v", encoder=str(encoder_folder), config=config
    )
    assert trained.dev is not None
    assert trained.dev.f1 > 80


def test_progress_rises_to_its_total(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    train(
        Corpus(LABELS, corpus, corpus[:4]),
        tmp_path / "v",
        encoder=str(encoder_folder),
        config=QUICK,
        report=lambda done, total, note: seen.append((done, total)) if note else None,
    )
    steps = seen[1:]
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))


def test_what_words_cannot_express_and_what_is_too_wide_is_counted() -> None:
    text = "Ada King of Love lace said no\nYes Paris"
    mentions = [
        Mention(0, 3, "person"),
        Mention(0, 2, "person"),  # inside a word
        Mention(26, 33, "person"),  # across two sentences
        Mention(0, 21, "person"),  # five words
        Mention(34, 39, "place"),
        Mention(9, 8, "person"),  # reversed
    ]
    gold = align([Text(1, text, None, mentions)], LABELS)
    assert gold.spans == [{(0, 0): 1, (0, 4): 1}, {(1, 0): 2}]
    assert gold.misaligned == 3
    assert gold.skipped(5) == 3
    assert gold.skipped(4) == 4


def test_a_mention_of_nothing_between_two_words_is_no_span() -> None:
    text = Text(1, "Ada-Bo", None, [Mention(3, 3, "person"), Mention(0, 3, "person")])
    gold = align([text], LABELS)
    assert (gold.spans, gold.misaligned) == ([{(0, 0): 1}], 1)


def test_the_widest_span_covers_99_of_100_mentions_and_is_at_most_ten_words() -> None:
    def width(widths: list[int]) -> int:
        text = " ".join(["w"] * 40)
        texts = [
            Text(i, text, None, [Mention(0, 2 * w - 1, "person")]) for i, w in enumerate(widths)
        ]
        return align(texts, LABELS).max_width(TrainConfig())

    assert width([1] * 99 + [9]) == 9
    assert width([1] * 199 + [9]) == 4
    assert width([2, 30]) == 10


@pytest.mark.parametrize(
    ("mentions", "message"), [([], "no gold mention"), ([Mention(0, 3, "x")], "unknown label 'x'")]
)
def test_nothing_to_learn_and_unknown_labels_are_refused(
    mentions: list[Mention], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        align([Text(1, "Ada", None, mentions)], LABELS)


@pytest.mark.parametrize(
    ("dev", "methods", "message"),
    [
        ([Text(1, "Ada", None, [Mention(0, 3, "x")])], None, "the dev texts .* 'x'"),
        ([], [Method.EVIDENTIAL], "a model with a softmax head has no evidential"),
    ],
)
def test_what_would_be_noticed_only_at_the_end_is_refused_before(
    dev: list[Text], methods: list[Method] | None, message: str, corpus: list[Text], tmp_path: Path
) -> None:
    told: list[str] = []
    with pytest.raises(ValueError, match=message):
        train(
            Corpus(LABELS, corpus, dev),
            tmp_path / "v1",
            methods=methods,
            report=lambda _done, _total, note: told.append(note),
        )
    assert not told


def test_nothing_but_a_version_is_ever_replaced(corpus: list[Text], tmp_path: Path) -> None:
    precious = tmp_path / "corpus" / "train.conll"
    precious.parent.mkdir()
    precious.write_text("Ada B-person\n")
    (tmp_path / "link").symlink_to(precious.parent)
    for folder in (precious.parent, precious, tmp_path / "link", tmp_path):
        with pytest.raises(ValueError, match="no model version: choose another folder"):
            train(Corpus(LABELS, corpus, []), folder)
    assert precious.read_text() == "Ada B-person\n"


def test_a_loss_that_is_no_number_ends_the_training_and_leaves_nothing(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    wild = TrainConfig(encoder_rate=1e30, head_rate=1e30, fewest_passes=600)
    with pytest.raises(ValueError, match=r"no longer a number|16-bit floats"):
        train(
            Corpus(LABELS, corpus, corpus[:4]),
            tmp_path / "v1",
            encoder=str(encoder_folder),
            config=wild,
        )
    assert not (tmp_path / "v1").exists()


def test_spans_are_no_wider_than_a_short_encoder_has_room_for() -> None:
    assert ModelConfig.widest(128) == 7
    ModelConfig(labels=LABELS, max_width=7, window_pieces=128)
    with pytest.raises(ValueError, match="a window of 128 sub-words is too short"):
        ModelConfig(labels=LABELS, max_width=8, window_pieces=128)


@pytest.mark.parametrize(
    ("sentences", "epochs"), [(1, 1500), (20, 75), (150, 10), (1500, 10), (3394, 5), (14_041, 4)]
)
def test_epochs_follow_from_the_size_of_the_corpus(sentences: int, epochs: int) -> None:
    assert TrainConfig().epochs(sentences) == epochs


def test_batches_of_a_small_corpus_are_small() -> None:
    config = TrainConfig()
    assert config.batch_budget(400, 10) == 150
    assert config.batch_budget(4000, 10) == 200
    assert config.batch_budget(100_000, 6) == 600


def test_an_evidential_head_learns_too_and_offers_its_own_uncertainty(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    config = TrainConfig(
        head=Head.EVIDENTIAL, encoder_rate=1e-3, head_rate=3e-3, fewest_passes=1000
    )
    trained = train(
        Corpus(LABELS, corpus, corpus), tmp_path / "v1", encoder=str(encoder_folder), config=config
    )
    assert trained.dev is not None
    assert trained.dev.f1 == 100
    assert set(trained.calibrations) == set(Method)
    assert inference.load(tmp_path / "v1").config.head is Head.EVIDENTIAL


def go_on(start: Path, encoder: Path, corpus: list[Text], config: TrainConfig) -> Trained:
    folder = start.parent / "next"
    return train(
        Corpus(LABELS, corpus, corpus), folder, encoder=str(encoder), start=start, config=config
    )


def test_a_warm_start_goes_on_from_what_was_learned(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    config = TrainConfig(encoder_rate=1e-3, head_rate=3e-3, fewest_passes=600)
    train(
        Corpus(LABELS, corpus, corpus), tmp_path / "v1", encoder=str(encoder_folder), config=config
    )
    # Far too little to learn anything anew.
    brief = TrainConfig(encoder_rate=1e-6, head_rate=1e-6, fewest_passes=20, fewest_steps=4)
    found = go_on(tmp_path / "v1", encoder_folder, corpus, brief)
    assert found.warm
    assert found.dev is not None
    assert found.dev.f1 == 100


def test_a_version_of_another_kind_is_no_start(
    run: Trained, encoder_folder: Path, corpus: list[Text], tmp_path: Path
) -> None:
    other = TrainConfig(head=Head.EVIDENTIAL, fewest_passes=60, fewest_steps=20)
    assert not go_on(tmp_path / "v1", encoder_folder, corpus, other).warm


def test_a_batch_too_large_for_the_memory_gives_the_same_gradient_in_halves(
    untrained: LocalModel, corpus: list[Text], monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = align(corpus[:5], LABELS)
    cut = windows(gold.sentences, untrained.word_pieces, untrained.config)
    plain, forward = TrainConfig(caseless=0.0), SpanClassifier.forward
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda _device: False)
    working = Working(untrained)
    working.model.classifier.eval()

    def gradient() -> Tensor:
        training._gradients(working, cut, gold, plain, 0.5, None)
        found = untrained.classifier.left.weight.grad
        assert found is not None
        return found.clone()

    def small(self: SpanClassifier, batch: Batch) -> Tensor:
        if len(batch.pieces) > 1:
            raise torch.OutOfMemoryError
        return forward(self, batch)

    whole = gradient()
    monkeypatch.setattr(SpanClassifier, "forward", small)
    torch.testing.assert_close(gradient(), whole)

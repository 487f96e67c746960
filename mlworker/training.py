"""Training a local model on gold: one loop, read from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mlworker import encoders, evaluation, hardware, inference, temperature, versions
from mlworker.alignment import Gold, align
from mlworker.averaging import Average
from mlworker.calibration import calibrate
from mlworker.config import ModelConfig, Robust, TrainConfig
from mlworker.data import (
    Window,
    WordPieces,
    batches,
    windows,
)
from mlworker.encoders import Encoder
from mlworker.model import SpanClassifier
from mlworker.robust import objective
from mlworker.robust.objective import Copies
from mlworker.robust.replacement import augmented
from mlworker.schema import Calibration, Head, Method, Scores, Text
from mlworker.versions import LocalModel

Report = Callable[[int, int, str], None]
"""Told (steps done, steps in all, what is happening)."""

TINY = 1e-12
DEV_CANDIDATES_PER_100 = 20.0
"""How many candidates are looked at on the dev texts to see where they stop to be mentions."""


@dataclass(frozen=True)
class Corpus:
    """Gold, split by document. `dev` may be empty."""

    labels: tuple[str, ...]
    train: Sequence[Text]
    dev: Sequence[Text]


@dataclass(frozen=True)
class Trained:
    """What training left behind in the version's folder, and how it did on the dev texts.

    `skipped_mentions` counts training mentions that no span stands for: longer than the model's
    widest span, across sentences, or beginning or ending inside a word. `warm` says whether it
    went on from an earlier version.
    """

    encoder: str
    skipped_mentions: int
    dev: Scores | None
    seconds: float
    calibrations: dict[Method, Calibration]
    warm: bool = False


def train(  # noqa: PLR0913 (what the command line offers)
    corpus: Corpus,
    folder: Path,
    *,
    seed: int = 1,
    encoder: str = "",
    start: Path | None = None,
    config: TrainConfig | None = None,
    methods: Sequence[Method] | None = None,
    report: Report = lambda _done, _total, _note: None,
) -> Trained:
    """Trains on `corpus.train`, keeps the epoch that is best on `corpus.dev`, saves to `folder`.

    It goes on from the version in `start` where that has the same labels, head and encoder and
    spans wide enough, and begins anew where not. A threshold is found for each of `methods` (all
    that the head offers). Raises `ValueError` where there is nothing to learn from or a mention
    has an unknown label.
    """
    started = time.monotonic()
    config = config or TrainConfig()
    torch.manual_seed(seed)
    report(0, 1, "reading the gold")
    gold = align(corpus.train, corpus.labels)
    source = encoders.load(encoder)
    sizes = _sizes(corpus.labels, gold.max_width(config), source, config)
    model = _warm_model(start, sizes, source.name)
    warm = model is not None
    model = model or _new_model(sizes, source)
    _fit(model, corpus, gold, config.warmed() if warm else config, seed, report)
    # Rounded as the file will hold it: what is measured is what will serve.
    model.classifier.half().float()
    model = replace(model, temperature=fit_temperature(_as_served(model), corpus.dev))
    dev, calibrations = measure(_as_served(model), corpus.dev, methods)
    facts = {
        "seed": seed,
        "encoder_name": source.name,
        "training": asdict(config),
        "taus": {method: found.tau for method, found in calibrations.items()},
    }
    versions.save(model, folder, facts)
    seconds = round(time.monotonic() - started, 1)
    skipped = gold.skipped(model.config.max_width)
    return Trained(source.name, skipped, dev, seconds, calibrations, warm)


def measure(
    model: LocalModel, dev: Sequence[Text], methods: Sequence[Method] | None = None
) -> tuple[Scores | None, dict[Method, Calibration]]:
    """Scores on `dev` (None where it is empty), and a threshold for each of `methods`."""
    methods = model.config.head.methods if methods is None else methods
    reading = inference.read(model, dev, methods)
    found = {}
    for method in methods:
        tagged = reading.tagged(method, DEV_CANDIDATES_PER_100)
        found[method] = calibrate(
            evaluation.outcomes(tagged, dev), evaluation.candidate_outcomes(tagged, dev)
        )
    plain = reading.tagged(Method.LEAST_CONFIDENCE, 0)
    return (evaluation.scores(plain, dev) if dev else None), found


def fit_temperature(model: LocalModel, dev: Sequence[Text]) -> float:
    """The temperature at which the probabilities of what is predicted on `dev` fit its gold.

    1 for a head that is not a softmax, and where `dev` predicts too little to say.
    """
    if model.config.head is not Head.SOFTMAX:
        return 1.0
    reading = inference.read(model, dev, [])
    probabilities, classes = evaluation.predicted(reading)
    # A softmax of logarithms gives the probabilities back: they are logits as good as any.
    return temperature.fit(np.log(np.maximum(probabilities, TINY)), classes)


def _as_served(model: LocalModel) -> LocalModel:
    """A copy that computes as tagging will, which may be in less precision than training."""
    return inference.ready(replace(model, classifier=deepcopy(model.classifier)))


def _sizes(
    labels: tuple[str, ...], max_width: int, source: Encoder, config: TrainConfig
) -> ModelConfig:
    room = min(ModelConfig.window_pieces, source.longest)
    return ModelConfig(
        labels=labels,
        max_width=max_width,
        head=config.head,
        window_pieces=room,
        bottleneck_size=config.bottleneck_size if config.robust.has_bottleneck else 0,
    )


def _new_model(sizes: ModelConfig, source: Encoder) -> LocalModel:
    classifier = SpanClassifier(sizes, source.model).to(hardware.best_device())
    pieces = WordPieces.from_file(source.tokenizer, sizes.word_pieces)
    return LocalModel(sizes, classifier, pieces)


def _warm_model(start: Path | None, sizes: ModelConfig, encoder: str) -> LocalModel | None:
    """The version in `start`, to be trained on; None where it is not of the kind wanted."""
    if start is None:
        return None
    facts = versions.read_config(start)
    model = versions.load(start)
    fits = replace(model.config, max_width=sizes.max_width) == sizes
    if not fits or model.config.max_width < sizes.max_width or facts["encoder_name"] != encoder:
        return None
    model.classifier.to(hardware.best_device())
    return replace(model, temperature=1.0)


def _fit(
    model: LocalModel,
    corpus: Corpus,
    gold: Gold,
    config: TrainConfig,
    seed: int,
    report: Report,
) -> None:
    """Trains `model` in place and leaves it with the averaged weights of its best epoch."""
    random = Random(seed)  # noqa: S311 (the order of batches is no secret)
    if config.robust is Robust.DATAAUG:
        gold = augmented(gold, model.config.labels, random, config.replaced)
    cut = windows(gold.sentences, model.word_pieces, model.config)
    epochs = config.epochs(len(cut))
    budget = config.batch_budget(sum(len(w.pieces) for w in cut), epochs)
    plan = [batches(cut, budget, random) for _ in range(epochs)]
    total = sum(map(len, plan))
    # They are half of all weights, few of them move, and what is frozen costs no time.
    encoders.word_embeddings(model.classifier.encoder).requires_grad_(False)
    if model.device.type == "cpu":
        # The gradient of the fused kernel takes several times as long there.
        model.classifier.encoder.set_attn_implementation("eager")
    optimizer = _optimizer(model.classifier, config)
    schedule = LambdaLR(optimizer, lambda step: _rate(step, total, config.warmup))
    average = Average(model.classifier, 1 / max(config.averaged * total, 1))
    best, best_f1, step, note = None, -1.0, 0, ""
    for epoch, order in enumerate(plan, 1):
        model.classifier.train()
        copies = Copies.drawn(gold, model, random) if config.robust is Robust.MINER else None
        for batch in order:
            _step(model, [cut[i] for i in batch], gold, optimizer, config, step / total, copies)
            average.update()
            schedule.step()
            step += 1
            report(step, total, f"epoch {epoch} of {epochs}{note}")
        if corpus.dev and _is_measured(epoch, epochs, len(corpus.dev) / len(corpus.train)):
            with average.in_place():
                f1 = _f1(_as_served(model), corpus.dev)
            note = f", F1 {f1:.1f} on the dev texts"
            if f1 > best_f1:
                best, best_f1 = average.copy(), f1
    (best or average).keep()


def _f1(model: LocalModel, texts: Sequence[Text]) -> float:
    tagged = inference.read(model, texts, []).tagged(Method.LEAST_CONFIDENCE, 0)
    return evaluation.scores(tagged, texts).f1


def _is_measured(epoch: int, epochs: int, dev_share: float) -> bool:
    """The last epoch, and before it as many as cost no more than the training itself."""
    every = max(1, round(dev_share))
    return (epochs - epoch) % every == 0


def _step(
    model: LocalModel,
    batch: list[Window],
    gold: Gold,
    optimizer: Optimizer,
    config: TrainConfig,
    progress: float,
    copies: Copies | None,
) -> None:
    optimizer.zero_grad(set_to_none=True)
    _backward(model, batch, gold, config, progress, copies)
    torch.nn.utils.clip_grad_norm_(model.classifier.parameters(), config.clip)
    optimizer.step()


def _backward(
    model: LocalModel,
    batch: list[Window],
    gold: Gold,
    config: TrainConfig,
    progress: float,
    copies: Copies | None = None,
    share: float = 1.0,
) -> None:
    """Adds `share` of the gradient of the batch's loss; a batch too large for the memory is
    taken in halves."""
    try:
        loss = objective.loss(model, batch, gold, config, progress, copies)
        (share * loss).backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, MemoryError) as error:
        if len(batch) == 1 or not hardware.out_of_memory(error):
            raise
    else:
        return
    for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
        _backward(model, half, gold, config, progress, copies, share * len(half) / len(batch))


def _optimizer(classifier: SpanClassifier, config: TrainConfig) -> AdamW:
    encoder = [p for p in classifier.encoder.parameters() if p.requires_grad]
    inside = {id(p) for p in classifier.encoder.parameters()}
    head = [p for p in classifier.parameters() if id(p) not in inside]
    groups = [
        {"params": encoder, "lr": config.encoder_rate},
        {"params": head, "lr": config.head_rate},
    ]
    return AdamW(groups, weight_decay=config.weight_decay, fused=True)


def _rate(step: int, total: int, warmup: float) -> float:
    """Linear warm-up over the share `warmup` of the steps, then linear decay to 0."""
    return min(1.0, (step + 1) / (warmup * total)) * (1 - step / total)

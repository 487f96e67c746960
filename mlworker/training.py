"""Training a local model on gold: one loop, read from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from mlworker import encoders, evaluation, hardware, inference, versions
from mlworker.alignment import Gold, align
from mlworker.averaging import Average
from mlworker.config import ModelConfig, Robust, TrainConfig
from mlworker.data import Window, WordPieces
from mlworker.encoders import Encoder
from mlworker.epochs import Epochs
from mlworker.measuring import as_served, fit_temperature, measure
from mlworker.model import SpanClassifier
from mlworker.precision import Working
from mlworker.remembering import remember
from mlworker.robust import objective
from mlworker.robust.objective import Copies
from mlworker.robust.replacement import augmented
from mlworker.schema import Calibration, Head, Method, Scores, Text
from mlworker.versions import LocalModel

Report = Callable[[int, int, str], None]
"""Told (steps done, steps in all, what is happening)."""


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
    that the head offers). Raises `ValueError` where there is nothing to learn from, a mention has
    an unknown label, the head lacks a method, something else is in `folder`, or the loss ceases to
    be a number.
    """
    started = time.monotonic()
    config = config or TrainConfig()
    _check(corpus, folder, config.head, methods or ())
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
    if not all(weight.isfinite().all() for weight in model.classifier.parameters()):
        raise ValueError("the trained weights leave the range of 16-bit floats")
    model = replace(model, temperature=fit_temperature(as_served(model), corpus.dev))
    served = as_served(model)
    dev, calibrations = measure(served, corpus.dev, methods)
    facts = {
        "seed": seed,
        "encoder_name": source.name,
        "training": asdict(config),
        "taus": {method: found.tau for method, found in calibrations.items()},
    }
    versions.save(model, folder, facts, remember(served, gold, seed))
    seconds = round(time.monotonic() - started, 1)
    skipped = gold.skipped(model.config.max_width)
    return Trained(source.name, skipped, dev, seconds, calibrations, warm)


def _check(corpus: Corpus, folder: Path, head: Head, methods: Sequence[Method]) -> None:
    """Raises `ValueError` for what would be noticed only after the training."""
    versions.check_target(folder)
    if missing := set(methods).difference(head.methods):
        raise ValueError(f"a model with a {head} head has no {min(missing)}")
    in_dev = {mention.label for text in corpus.dev for mention in text.mentions}
    if unknown := in_dev.difference(corpus.labels):
        raise ValueError(f"the dev texts have the unknown label {min(unknown)!r}")


def _sizes(
    labels: tuple[str, ...], max_width: int, source: Encoder, config: TrainConfig
) -> ModelConfig:
    room = min(ModelConfig.window_pieces, source.longest)
    return ModelConfig(
        labels=labels,
        max_width=min(max_width, ModelConfig.widest(room)),
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
    same = asdict(model.config) | {"max_width": 0} == asdict(sizes) | {"max_width": 0}
    if not same or model.config.max_width < sizes.max_width or facts["encoder_name"] != encoder:
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
    random = Random(seed)  # noqa: S311 (no secret hangs on it)
    if config.robust is Robust.DATAAUG:
        gold = augmented(gold, random, config.replaced)
    epochs = Epochs(model, gold, config, seed)
    total = epochs.steps()
    # They are half of all weights, few of them move, and what is frozen costs no time.
    encoders.word_embeddings(model.classifier.encoder).requires_grad_(False)
    optimizer = _optimizer(model.classifier, config)
    schedule = LambdaLR(optimizer, lambda step: _rate(step, total, config.warmup))
    average = Average(model.classifier, 1 / max(config.averaged * total, 1))
    working = Working(model)
    best, best_f1, step, note = None, -1.0, 0, ""
    for number in range(1, epochs.count + 1):
        copies = Copies.drawn(gold, model, random) if config.robust is Robust.MINER else None
        epoch = epochs.drawn(number)
        for batch in epoch.batches:
            _gradients(working, batch, epoch.gold, config, step / total, copies)
            torch.nn.utils.clip_grad_norm_(model.classifier.parameters(), config.clip)
            optimizer.step()
            working.follow()
            average.update()
            schedule.step()
            step += 1
            report(step, total, f"epoch {number} of {epochs.count}{note}")
        if corpus.dev and _is_measured(number, epochs.count, len(corpus.dev) / len(corpus.train)):
            with average.in_place():
                f1 = _f1(as_served(model), corpus.dev)
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


def _gradients(
    working: Working,
    batch: list[Window],
    gold: Gold,
    config: TrainConfig,
    progress: float,
    copies: Copies | None,
) -> None:
    """Leaves the gradients of the loss of `batch` with the model that learns; a batch that does
    not fit the memory is taken in parts."""
    model, size = working.model, len(batch)
    while True:
        try:
            for part, share in _parts(batch, size, model.config.max_width):
                loss = objective.loss(model, part, gold, config, progress, copies)
                if not loss.isfinite():
                    raise ValueError("the loss is no longer a number: are the encoder's weights?")
                (share * loss).backward()  # type: ignore[no-untyped-call]
            break
        except (RuntimeError, MemoryError) as error:
            if size == 1 or not hardware.out_of_memory(error):
                raise
            working.forget()
            size = (size + 1) // 2
    working.hand_back()


def _parts(batch: list[Window], size: int, max_width: int) -> Iterator[tuple[list[Window], float]]:
    """`batch` in pieces of `size` windows, each with its share of the spans, of which the loss is
    the mean."""
    spans = [window.spans(max_width) for window in batch]
    for start in range(0, len(batch), size):
        yield batch[start : start + size], sum(spans[start : start + size]) / sum(spans)


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

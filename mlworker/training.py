"""Training a local model on gold: one loop, read from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mlworker import encoders, evaluation, hardware, inference, versions
from mlworker.calibration import calibrate
from mlworker.config import ModelConfig, TrainConfig
from mlworker.data import (
    IGNORED,
    Window,
    WordPieces,
    WordSpan,
    batches,
    collate,
    targets,
    windows,
)
from mlworker.model import SpanClassifier
from mlworker.schema import Calibration, Method, Scores, Text
from mlworker.segmentation import Sentence, sentences
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
    widest span, across sentences, or beginning or ending inside a word.
    """

    encoder: str
    skipped_mentions: int
    dev: Scores | None
    seconds: float
    calibrations: dict[Method, Calibration]


def train(
    corpus: Corpus,
    folder: Path,
    *,
    seed: int = 1,
    encoder: str = "",
    config: TrainConfig | None = None,
    report: Report = lambda _done, _total, _note: None,
) -> Trained:
    """Trains on `corpus.train`, keeps the epoch that is best on `corpus.dev`, saves to `folder`.

    Raises `ValueError` where there is nothing to learn from or a mention has an unknown label.
    """
    started = time.monotonic()
    config = config or TrainConfig()
    torch.manual_seed(seed)
    report(0, 1, "reading the gold")
    gold = align(corpus.train, corpus.labels)
    max_width = gold.max_width(config)
    model, encoder_name = _new_model(corpus.labels, max_width, encoder)
    _fit(model, corpus, gold, config, seed, report)
    # Rounded as the file will hold it: what is measured is what will serve.
    model.classifier.half().float()
    dev, calibrations = measure(_as_served(model), corpus.dev)
    facts = {
        "seed": seed,
        "encoder_name": encoder_name,
        "training": asdict(config),
        "taus": {method: found.tau for method, found in calibrations.items()},
    }
    versions.save(model, folder, facts)
    seconds = round(time.monotonic() - started, 1)
    return Trained(encoder_name, gold.skipped(max_width), dev, seconds, calibrations)


@dataclass(frozen=True)
class Gold:
    """Sentences, and for each its mentions as word spans with their class; `misaligned` counts
    the mentions that words cannot express."""

    sentences: list[Sentence]
    spans: list[dict[WordSpan, int]]
    misaligned: int

    def max_width(self, config: TrainConfig) -> int:
        """The fewest words that cover the share `width_coverage` of the mentions."""
        narrow, wide = config.widths
        widths = sorted(width + 1 for spans in self.spans for _, width in spans)
        covering = widths[min(int(config.width_coverage * len(widths)), len(widths) - 1)]
        return min(max(covering, narrow), wide)

    def skipped(self, max_width: int) -> int:
        return self.misaligned + sum(
            width >= max_width for spans in self.spans for _, width in spans
        )


def align(texts: Sequence[Text], labels: Sequence[str]) -> Gold:
    """The mentions of `texts` in words; `ValueError` where there are none or a label is unknown."""
    numbers = {label: number for number, label in enumerate(labels, 1)}
    gold = Gold([], [], 0)
    misaligned = 0
    for text in texts:
        cut = sentences(text)
        starts = {s: (i, j) for i, part in enumerate(cut) for j, (s, _) in enumerate(part.offsets)}
        ends = {e: (i, j) for i, part in enumerate(cut) for j, (_, e) in enumerate(part.offsets)}
        spans: list[dict[WordSpan, int]] = [{} for _ in cut]
        for mention in text.mentions:
            if mention.label not in numbers:
                raise ValueError(f"text {text.id} has the unknown label {mention.label!r}")
            first, last = starts.get(mention.start), ends.get(mention.end)
            if first is None or last is None or first[0] != last[0]:
                misaligned += 1
            else:
                spans[first[0]][first[1], last[1] - first[1]] = numbers[mention.label]
        gold.sentences.extend(cut)
        gold.spans.extend(spans)
    if not any(gold.spans):
        raise ValueError("there is no gold mention to learn from")
    return Gold(gold.sentences, gold.spans, misaligned)


def measure(
    model: LocalModel, dev: Sequence[Text]
) -> tuple[Scores | None, dict[Method, Calibration]]:
    """Scores on `dev` (None where it is empty), and a threshold for each method."""
    tagged = inference.tag_with(model, dev, Method.LEAST_CONFIDENCE, 0)
    found = {method: calibrate(evaluation.outcomes(tagged, dev, method)) for method in Method}
    return (evaluation.scores(tagged, dev) if dev else None), found


def _as_served(model: LocalModel) -> LocalModel:
    """A copy that computes as tagging will, which may be in less precision than training."""
    return inference.ready(replace(model, classifier=deepcopy(model.classifier)))


def _new_model(labels: tuple[str, ...], max_width: int, encoder: str) -> tuple[LocalModel, str]:
    source = encoders.load(encoder)
    room = min(ModelConfig.window_pieces, source.model.config.max_position_embeddings)
    config = ModelConfig(labels=labels, max_width=max_width, window_pieces=room)
    classifier = SpanClassifier(config, source.model).to(hardware.best_device())
    # They are half of all weights, few of them move, and what is frozen costs no time.
    classifier.encoder.embeddings.requires_grad_(False)
    return (
        LocalModel(config, classifier, WordPieces.from_file(source.tokenizer, config.word_pieces)),
        source.name,
    )


def _fit(
    model: LocalModel,
    corpus: Corpus,
    gold: Gold,
    config: TrainConfig,
    seed: int,
    report: Report,
) -> None:
    """Trains `model` in place and leaves it as it was after its best epoch."""
    cut = windows(gold.sentences, model.word_pieces, model.config)
    epochs = config.epochs(len(cut))
    random = Random(seed)  # noqa: S311 (the order of batches is no secret)
    budget = config.batch_budget(sum(len(w.pieces) for w in cut), epochs)
    plan = [batches(cut, budget, random) for _ in range(epochs)]
    total = sum(map(len, plan))
    optimizer = _optimizer(model.classifier, config)
    schedule = LambdaLR(optimizer, lambda step: _rate(step, total, config.warmup))
    best, best_f1, step, note = None, -1.0, 0, ""
    for epoch, order in enumerate(plan, 1):
        model.classifier.train()
        for batch in order:
            _step(model, [cut[i] for i in batch], gold, optimizer, config.clip)
            schedule.step()
            step += 1
            report(step, total, f"epoch {epoch} of {epochs}{note}")
        if corpus.dev and _is_measured(epoch, epochs, len(corpus.dev) / len(corpus.train)):
            tagged = inference.tag_with(model, corpus.dev, Method.LEAST_CONFIDENCE, 0)
            f1 = evaluation.scores(tagged, corpus.dev).f1
            note = f", F1 {f1:.1f} on the dev texts"
            if f1 > best_f1:
                best_f1 = f1
                best = {name: t.clone() for name, t in model.classifier.state_dict().items()}
    if best:
        model.classifier.load_state_dict(best)


def _is_measured(epoch: int, epochs: int, dev_share: float) -> bool:
    """The last epoch, and before it as many as cost no more than the training itself."""
    every = max(1, round(dev_share))
    return (epochs - epoch) % every == 0


def _step(
    model: LocalModel, batch: list[Window], gold: Gold, optimizer: Optimizer, clip: float
) -> None:
    tensors = collate(batch, model.config.max_width)
    classes = targets(batch, gold.spans, tensors.spans).to(model.device)
    with hardware.autocast(model.device):
        logits = model.classifier(tensors.to(model.device))
    optimizer.zero_grad(set_to_none=True)
    loss(logits.float(), classes).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.classifier.parameters(), clip)
    optimizer.step()


def loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Mean cross-entropy over the spans. *Shapes:* (…, classes) and (…), `IGNORED` is no span."""
    return functional.cross_entropy(logits.flatten(0, -2), classes.flatten(), ignore_index=IGNORED)


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

"""How fast a model version tags, and how fast a small one is trained.

Tagging is all of it: cutting, tokenising, uncertainty, candidates and decoding. The cache of
tokenised words is empty at the start of each round; of several rounds the best counts, because
whatever else the machine does can only make a round slower.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import torch
from torch.nn import functional

from mlworker import evaluation, hardware, inference, training, versions
from mlworker.bench import memory
from mlworker.data import WordPieces
from mlworker.schema import Method, TaggedText, TagRequest, Text
from mlworker.training import Corpus, Trained
from mlworker.versions import LocalModel

ROUNDS = 3
SMALL = 200


@dataclass(frozen=True)
class Batching:
    """Sentences per second in sorted batches, and one at a time, in one run."""

    batched: float
    single: float

    @property
    def ratio(self) -> float:
        return self.batched / self.single


@dataclass(frozen=True)
class Tagging:
    """How one version tags: sentences per second, and F1 on dev texts where there are any, by
    precision; batching in the one that serves; the MiB that a fresh process needs at most."""

    rates: dict[str, float]
    dev_f1: dict[str, float]
    batching: Batching
    memory: float


@dataclass(frozen=True)
class SmallTraining:
    """Seconds that a training on `sentences` takes, from the encoder and from a served version
    (None where that is of another kind)."""

    sentences: int
    cold: float
    warm: float | None


def tagging(folder: Path, file: Path, texts: Sequence[Text], dev: Sequence[Text]) -> Tagging:
    """How the version in `folder` tags `texts`, which are those of `file`."""
    models = runtimes(folder)
    return Tagging(
        rates(models, texts),
        {
            name: evaluation.scores(_tag(model, dev), dev).f1
            for name, model in models.items()
            if dev
        },
        batching(inference.load(folder), texts),
        memory.peak(folder, file),
    )


def runtimes(folder: Path) -> dict[str, LocalModel]:
    """The version in `folder` in each precision that pays here; the last one serves."""
    device = hardware.best_device()
    full = versions.load(folder)
    full.classifier.to(device)
    found = {"fp32": full}
    if hardware.fast_bfloat16(device):
        found["bf16"] = inference.load(folder)
    return found


def products() -> dict[str, float]:
    """10^9 operations per second of a matrix product such as an encoder is made of, by precision:
    the ceiling that rates on different machines are to be seen against."""
    device = hardware.best_device()
    kinds = {"fp32": torch.float32}
    if hardware.fast_bfloat16(device):
        kinds["bf16"] = torch.bfloat16
    return {name: _multiplied(kind, device) / 1e9 for name, kind in kinds.items()}


def _multiplied(kind: torch.dtype, device: torch.device) -> float:
    rows, inner, outer, times = 2048, 384, 1536, 50
    inputs = torch.ones(rows, inner, dtype=kind, device=device)
    weights = torch.ones(outer, inner, dtype=kind, device=device)

    def multiply() -> None:
        for _ in range(times):
            functional.linear(inputs, weights)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return times * 2 * rows * inner * outer / min(_seconds(multiply) for _ in range(ROUNDS))


def rates(models: dict[str, LocalModel], texts: Sequence[Text]) -> dict[str, float]:
    """Sentences per second of each model, the rounds of all taken in turn."""
    tagging = {name: _batched(model, texts) for name, model in models.items()}
    return {name: len(texts) / seconds for name, seconds in _best(tagging).items()}


def batching(model: LocalModel, texts: Sequence[Text]) -> Batching:
    def one_at_a_time() -> None:
        alone = _fresh(model)
        for text in texts:
            _tag(alone, [text])

    best = _best({"batched": _batched(model, texts), "single": one_at_a_time})
    return Batching(len(texts) / best["batched"], len(texts) / best["single"])


def growth(model: LocalModel, texts: Sequence[Text], largest: int) -> dict[int, float]:
    """Seconds to tag an eighth, a quarter, a half and all of `largest` sentences at once.

    They are `texts` over and over.
    """
    seconds = {}
    for sentences in (largest // 8, largest // 4, largest // 2, largest):
        many = list(islice(cycle(texts), sentences))
        seconds[sentences] = _seconds(_batched(model, many))
    return seconds


def small_training(corpus: Corpus, start: Path, *, encoder: str, seed: int) -> SmallTraining:
    """Training on the first `SMALL` sentences, without dev: what a new project waits for."""
    few = Corpus(corpus.labels, corpus.train[:SMALL], [])

    def learn(start: Path | None) -> Trained:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "version"
            return training.train(few, target, seed=seed, encoder=encoder, start=start)

    cold, warm = learn(None), learn(start)
    return SmallTraining(len(few.train), cold.seconds, warm.seconds if warm.warm else None)


def _tag(model: LocalModel, texts: Sequence[Text]) -> list[TaggedText]:
    return inference.tag_with(model, texts, Method.LEAST_CONFIDENCE, TagRequest.candidates_per_100)


def _batched(model: LocalModel, texts: Sequence[Text]) -> Callable[[], object]:
    return lambda: _tag(_fresh(model), texts)


def _fresh(model: LocalModel) -> LocalModel:
    """The same model with an empty cache of tokenised words."""
    pieces = WordPieces(model.word_pieces.tokenizer, model.config.word_pieces)
    return replace(model, word_pieces=pieces)


def _best(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The fewest seconds of each, in rounds that take turns, so that all see the same machine."""
    rounds = [{name: _seconds(run) for name, run in runs.items()} for _ in range(ROUNDS)]
    return {name: min(seconds[name] for seconds in rounds) for name in runs}


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started

"""Tagging: texts in, scored spans out. A version is loaded once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mlworker import hardware, routing, versions
from mlworker.data import Batch, Window, batches, collate, windows
from mlworker.losses import concentration
from mlworker.memory import Memory
from mlworker.reading import Reading
from mlworker.routing import Spans
from mlworker.schema import Head, Method, TaggedText, Text
from mlworker.segmentation import Sentence, sentences
from mlworker.uncertainty import METHODS, Floats, evidential, mc_dropout
from mlworker.versions import LocalModel

BATCH_PIECES = {"cpu": 1024, "cuda": 65_536}
"""Padded sub-words that a batch may hold."""


@dataclass(frozen=True)
class Passes:
    """How Monte-Carlo dropout is drawn: `count` passes through the head, the encoder computed
    once, or through the `encoder` too, at `count` times the cost."""

    count: int = 10
    encoder: bool = False


HEAD_PASSES = Passes()


def tag(
    model_path: str | os.PathLike[str],
    texts: Sequence[Text],
    method: Method,
    candidates_per_100: float,
    candidate_floor: float = 0.0,
) -> list[TaggedText]:
    """What the version in the folder `model_path` says about `texts`, one answer for each."""
    model, memory = load(model_path), recall(model_path)
    return tag_with(model, texts, method, candidates_per_100, candidate_floor, memory)


def load(model_path: str | os.PathLike[str]) -> LocalModel:
    """The version in `model_path`, on the best device; the two used last stay in memory."""
    return _load(*_written(model_path))


def recall(model_path: str | os.PathLike[str]) -> Memory | None:
    """The memory of the version in `model_path`, kept as `load` does; None where it has none."""
    return _recall(*_written(model_path))


def _written(model_path: str | os.PathLike[str]) -> tuple[Path, int]:
    """A version's folder, and when it was written: another may have taken its place."""
    folder = Path(model_path).resolve()
    try:
        return folder, (folder / versions.MANIFEST).stat().st_mtime_ns
    except OSError:
        return folder, 0  # `versions` says what is missing


@lru_cache(maxsize=2)
def _load(folder: Path, _when: int) -> LocalModel:
    return ready(versions.load(folder))


@lru_cache(maxsize=2)
def _recall(folder: Path, _when: int) -> Memory | None:
    memory = versions.recall(folder)
    return memory and memory.to(hardware.best_device())


def ready(model: LocalModel) -> LocalModel:
    """`model` itself, moved to the best device and to the precision that is fastest there."""
    device = hardware.best_device()
    model.classifier.to(device)
    if hardware.fast_bfloat16(device):
        model.classifier.bfloat16()
    return model


def tag_with(
    model: LocalModel,
    texts: Sequence[Text],
    method: Method,
    candidates_per_100: float,
    candidate_floor: float = 0.0,
    memory: Memory | None = None,
) -> list[TaggedText]:
    """`read` and `Reading.tagged` in one."""
    reading = read(model, texts, [method], vectors=memory is not None)
    return reading.tagged(method, candidates_per_100, candidate_floor, memory)


def read(
    model: LocalModel,
    texts: Sequence[Text],
    methods: Iterable[Method] = tuple(METHODS),
    passes: Passes = HEAD_PASSES,
    *,
    vectors: bool = False,
) -> Reading:
    """The spans of `texts`, with what each of `methods` needs to say how unsure they are, and with
    the `vectors` by which they are compared with a memory.

    Raises `ValueError` for a method that the model's head does not offer.
    """
    wanted = frozenset(methods)
    if missing := wanted.difference(model.config.head.methods):
        raise ValueError(f"a model with a {model.config.head} head has no {min(missing)}")
    cut = [sentences(text) for text in texts]
    flat = [sentence for part in cut for sentence in part]
    spans = score(model, flat, wanted, passes, vectors=vectors)
    return Reading(model.config.classes, texts, cut, spans)


def score(
    model: LocalModel,
    sentences: Sequence[Sentence],
    methods: frozenset[Method] = frozenset(),
    passes: Passes = HEAD_PASSES,
    *,
    vectors: bool = False,
) -> list[Spans]:
    """The spans of each sentence whose entity mass reaches `routing.MASS_FLOOR`."""
    cut = windows(sentences, model.word_pieces, model.config)
    parts: list[list[Spans]] = [[] for _ in sentences]
    forward = partial(_forward, methods=methods, passes=passes, vectors=vectors)
    for window, spans in through(model, cut, forward, draws=Method.MC_DROPOUT in methods):
        parts[window.sentence].append(spans)
    return [_joined(found) for found in parts]


R = TypeVar("R")
Forward = Callable[[LocalModel, list[Window]], list[R]]
"""What comes of each window of a batch."""


def through(
    model: LocalModel, cut: Sequence[Window], forward: Forward[R], *, draws: bool = False
) -> list[tuple[Window, R]]:
    """The windows `cut`, in another order, each with what `forward` makes of it: in batches of
    like length, as large as the memory allows. A `forward` that `draws` random numbers is given
    one batch after the other, so that the same texts get the same ones."""

    @torch.inference_mode()
    def read(batch: list[int]) -> list[tuple[Window, R]]:
        chosen = [cut[i] for i in batch]
        return list(zip(chosen, _fitting(model, chosen, forward), strict=True))

    model.classifier.eval()
    planned = batches(cut, BATCH_PIECES[model.device.type])
    with _seeded(model.device):
        if draws or model.device.type != "cpu":
            found = [read(batch) for batch in planned]
        else:
            found = hardware.side_by_side(read, planned)
    return list(chain.from_iterable(found))


@contextmanager
def _seeded(device: torch.device) -> Iterator[None]:
    """The same draws for the same texts, and those of whoever else draws left as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


def _fitting(model: LocalModel, batch: list[Window], forward: Forward[R]) -> list[R]:
    """What `forward` makes of each window. A window that does not fit a GPU's memory by itself is
    read on the CPU, and so is all that follows."""

    def read(part: list[Window]) -> list[R]:
        try:
            return forward(model, part)
        except (RuntimeError, MemoryError) as error:
            if len(part) > 1 or model.device.type == "cpu" or not hardware.out_of_memory(error):
                raise
        model.classifier.to("cpu")
        return forward(model, part)

    return hardware.fitting(read, batch)


def _forward(
    model: LocalModel,
    batch: list[Window],
    *,
    methods: frozenset[Method],
    passes: Passes,
    vectors: bool,
) -> list[Spans]:
    tensors = collate(batch, model.config.max_width).to(model.device)
    pieces = model.classifier.encode(tensors)
    logits = model.classifier.classify(pieces, tensors).float()
    probabilities = _probabilities(model, logits)
    likely = tensors.spans & (1 - probabilities[..., 0] >= routing.MASS_FLOOR)
    uncertainty = {}
    if Method.EVIDENTIAL in methods:
        uncertainty[Method.EVIDENTIAL] = evidential(_numpy(concentration(logits[likely])))
    if Method.MC_DROPOUT in methods:
        drawn = _drawn(model, tensors, pieces, passes, likely)
        uncertainty[Method.MC_DROPOUT] = mc_dropout(_numpy(drawn))
    row, first, width = (index.cpu().numpy() for index in likely.nonzero(as_tuple=True))
    kept = _numpy(probabilities[likely])
    compared = _numpy(model.classifier.vectors(pieces, tensors, likely)) if vectors else None
    cuts = np.searchsorted(row, np.arange(len(batch) + 1))
    return [
        Spans(
            first[begin:end] + window.offset,
            first[begin:end] + width[begin:end] + window.offset,
            kept[begin:end],
            {method: u[begin:end] for method, u in uncertainty.items()},
            None if compared is None else compared[begin:end],
        )
        for window, begin, end in zip(batch, cuts[:-1], cuts[1:], strict=True)
    ]


def _probabilities(model: LocalModel, logits: Tensor) -> Tensor:
    """Softmax at the model's temperature, or the mean of the Dirichlet distribution."""
    if model.config.head is Head.EVIDENTIAL:
        alpha = concentration(logits)
        return alpha / alpha.sum(-1, keepdim=True)
    return (logits / model.temperature).softmax(-1)


def _drawn(
    model: LocalModel, batch: Batch, pieces: Tensor, passes: Passes, likely: Tensor
) -> Tensor:
    """Probabilities of the `likely` spans in each pass with dropout. *Shape:* (M, n, C)."""
    model.classifier.train()
    try:
        return torch.stack(
            [
                _probabilities(
                    model,
                    model.classifier.classify(
                        model.classifier.encode(batch) if passes.encoder else pieces, batch
                    ).float(),
                )[likely]
                for _ in range(passes.count)
            ]
        )
    finally:
        model.classifier.eval()


def _numpy(tensor: Tensor) -> Floats:
    found: Floats = tensor.cpu().numpy()
    return found


def _joined(parts: list[Spans]) -> Spans:
    """The spans of a sentence's windows as one, in the order of the words."""
    if len(parts) == 1:
        return parts[0]
    first = np.concatenate([part.first for part in parts])
    last = np.concatenate([part.last for part in parts])
    order = np.lexsort((last, first))
    probabilities = np.concatenate([part.probabilities for part in parts])
    uncertainty = {
        method: np.concatenate([part.uncertainty[method] for part in parts])[order]
        for method in parts[0].uncertainty
    }
    compared = [part.vectors for part in parts if part.vectors is not None]
    vectors = np.concatenate(compared)[order] if compared else None
    return Spans(first[order], last[order], probabilities[order], uncertainty, vectors)

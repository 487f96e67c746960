"""Tagging: texts in, scored spans out. A version is loaded once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mlworker import hardware, routing, versions
from mlworker.data import Batch, Window, batches, collate, windows
from mlworker.losses import concentration
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
    return tag_with(load(model_path), texts, method, candidates_per_100, candidate_floor)


def load(model_path: str | os.PathLike[str]) -> LocalModel:
    """The version in `model_path`, on the best device; the two used last stay in memory."""
    folder = Path(model_path).resolve()
    try:
        written = (folder / versions.MANIFEST).stat().st_mtime_ns
    except OSError:
        written = 0  # `versions.load` says what is missing
    return _load(folder, written)


@lru_cache(maxsize=2)
def _load(folder: Path, _written: int) -> LocalModel:
    return ready(versions.load(folder))


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
) -> list[TaggedText]:
    """`read` and `Reading.tagged` in one."""
    return read(model, texts, [method]).tagged(method, candidates_per_100, candidate_floor)


def read(
    model: LocalModel,
    texts: Sequence[Text],
    methods: Iterable[Method] = tuple(METHODS),
    passes: Passes = HEAD_PASSES,
) -> Reading:
    """The spans of `texts`, with what each of `methods` needs to say how unsure they are.

    Raises `ValueError` for a method that the model's head does not offer.
    """
    wanted = frozenset(methods)
    if missing := wanted.difference(model.config.head.methods):
        raise ValueError(f"a model with a {model.config.head} head has no {min(missing)}")
    cut = [sentences(text) for text in texts]
    flat = [sentence for part in cut for sentence in part]
    return Reading(model.config.classes, texts, cut, score(model, flat, wanted, passes))


def score(
    model: LocalModel,
    sentences: Sequence[Sentence],
    methods: frozenset[Method] = frozenset(),
    passes: Passes = HEAD_PASSES,
) -> list[Spans]:
    """The spans of each sentence whose entity mass reaches `routing.MASS_FLOOR`."""
    cut = windows(sentences, model.word_pieces, model.config)
    parts: list[list[Spans]] = [[] for _ in sentences]
    forward = partial(_forward, methods=methods, passes=passes)
    model.classifier.eval()
    with torch.inference_mode(), _seeded(model.device):
        for batch in batches(cut, BATCH_PIECES[model.device.type]):
            found = _fitting(model, [cut[i] for i in batch], forward)
            for i, spans in zip(batch, found, strict=True):
                parts[cut[i].sentence].append(spans)
    return [_joined(found) for found in parts]


@contextmanager
def _seeded(device: torch.device) -> Iterator[None]:
    """The same draws for the same texts, and those of whoever else draws left as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


Forward = Callable[[LocalModel, list[Window]], list[Spans]]


def _fitting(model: LocalModel, batch: list[Window], forward: Forward) -> list[Spans]:
    """Spans by window. A window that does not fit a GPU's memory by itself is read on the CPU, and
    so is all that follows."""

    def read(part: list[Window]) -> list[Spans]:
        try:
            return forward(model, part)
        except (RuntimeError, MemoryError) as error:
            if len(part) > 1 or model.device.type == "cpu" or not hardware.out_of_memory(error):
                raise
        model.classifier.to("cpu")
        return forward(model, part)

    return hardware.fitting(read, batch)


def _forward(
    model: LocalModel, batch: list[Window], *, methods: frozenset[Method], passes: Passes
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
    cuts = np.searchsorted(row, np.arange(len(batch) + 1))
    return [
        Spans(
            first[begin:end] + window.offset,
            first[begin:end] + width[begin:end] + window.offset,
            kept[begin:end],
            {method: u[begin:end] for method, u in uncertainty.items()},
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
    return Spans(first[order], last[order], probabilities[order], uncertainty)

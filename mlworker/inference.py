"""Tagging: texts in, scored spans out. A version is loaded once and kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from mlworker import hardware, routing, versions
from mlworker.data import Window, batches, collate, windows
from mlworker.routing import Spans
from mlworker.schema import Lane, Method, ScoredSpan, TaggedText, Text
from mlworker.segmentation import Sentence, sentences
from mlworker.uncertainty import METHODS
from mlworker.versions import LocalModel

BATCH_PIECES = {"cpu": 1024, "cuda": 65_536}
"""Padded sub-words that a batch may hold."""

DIGITS = 5
"""Decimals of probabilities and uncertainties on the wire."""


def tag(
    model_path: str | os.PathLike[str],
    texts: Sequence[Text],
    method: Method,
    candidates_per_100: float,
) -> list[TaggedText]:
    """What the version in the folder `model_path` says about `texts`, one answer for each."""
    return tag_with(load(model_path), texts, method, candidates_per_100)


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
    model: LocalModel, texts: Sequence[Text], method: Method, candidates_per_100: float
) -> list[TaggedText]:
    cut = [sentences(text) for text in texts]
    flat = [sentence for part in cut for sentence in part]
    spans = score(model, flat)
    candidates = routing.candidates(spans, candidates_per_100)
    scored = [
        [
            *_wire(model, method, sentence, found, routing.mentions(found), Lane.MENTION),
            *_wire(model, method, sentence, found, asked, Lane.CANDIDATE),
        ]
        for sentence, found, asked in zip(flat, spans, candidates, strict=True)
    ]
    rest = iter(scored)
    return [
        TaggedText(
            text.id,
            sorted((span for _ in part for span in next(rest)), key=lambda s: (s.start, s.end)),
        )
        for text, part in zip(texts, cut, strict=True)
    ]


def score(model: LocalModel, sentences: Sequence[Sentence]) -> list[Spans]:
    """The spans of each sentence whose entity mass reaches `routing.MASS_FLOOR`."""
    cut = windows(sentences, model.word_pieces, model.config)
    parts: list[list[Spans]] = [[] for _ in sentences]
    model.classifier.eval()
    with torch.inference_mode():
        for batch in batches(cut, BATCH_PIECES[model.device.type]):
            for i, spans in zip(batch, _score(model, [cut[i] for i in batch]), strict=True):
                parts[cut[i].sentence].append(spans)
    return [_joined(found) for found in parts]


def _score(model: LocalModel, batch: list[Window]) -> list[Spans]:
    """Spans by window; a batch that does not fit the memory is halved."""
    try:
        return _forward(model, batch)
    except (RuntimeError, MemoryError) as error:
        if len(batch) == 1 or not hardware.out_of_memory(error):
            raise
    half = len(batch) // 2
    return _score(model, batch[:half]) + _score(model, batch[half:])


def _forward(model: LocalModel, batch: list[Window]) -> list[Spans]:
    tensors = collate(batch, model.config.max_width).to(model.device)
    probabilities = model.classifier(tensors).float().softmax(-1)
    likely = tensors.spans & (1 - probabilities[..., 0] >= routing.MASS_FLOOR)
    row, first, width = (index.cpu().numpy() for index in likely.nonzero(as_tuple=True))
    kept = probabilities[likely].cpu().numpy()
    cuts = np.searchsorted(row, np.arange(len(batch) + 1))
    return [
        Spans(
            first[begin:end] + window.offset,
            first[begin:end] + width[begin:end] + window.offset,
            kept[begin:end],
        )
        for window, begin, end in zip(batch, cuts[:-1], cuts[1:], strict=True)
    ]


def _joined(parts: list[Spans]) -> Spans:
    """The spans of a sentence's windows as one, in the order of the words."""
    first = np.concatenate([part.first for part in parts])
    last = np.concatenate([part.last for part in parts])
    order = np.lexsort((last, first))
    probabilities = np.concatenate([part.probabilities for part in parts])
    return Spans(first[order], last[order], probabilities[order])


def _wire(
    model: LocalModel,
    method: Method,
    sentence: Sentence,
    spans: Spans,
    chosen: list[int],
    lane: Lane,
) -> list[ScoredSpan]:
    """The spans numbered `chosen` as they travel: offsets in the text, probabilities by label."""
    classes = model.config.classes
    probabilities = spans.probabilities[chosen].astype(np.float64)
    uncertainty = METHODS[method](probabilities)
    out = []
    for i, row, u in zip(chosen, probabilities, uncertainty, strict=True):
        first, last = int(spans.first[i]), int(spans.last[i])
        begin, end = sentence.context(first, last)
        out.append(
            ScoredSpan(
                start=sentence.offsets[first][0],
                end=sentence.offsets[last][1],
                label=classes[1 + int(row[1:].argmax())],
                lane=lane,
                probabilities={
                    name: round(float(p), DIGITS) for name, p in zip(classes, row, strict=True)
                },
                uncertainty=round(float(u), DIGITS),
                sentence_start=begin,
                sentence_end=end,
            )
        )
    return out

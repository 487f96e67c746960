"""The memory of a version that was just trained: its gold, as its own encoder sees it."""

from __future__ import annotations

from functools import partial
from random import Random

import torch
from torch import Tensor

from mlworker import inference
from mlworker.alignment import Gold
from mlworker.data import Window, WordSpan, collate, targets, windows
from mlworker.memory import Memory
from mlworker.versions import LocalModel

LARGEST = 20_000
"""Mentions that are remembered at most: what tagging pays for them is bounded."""

Reference = tuple[int, int, int, int]
"""The id of a text, where in it a mention starts and ends, and its class."""


def remember(model: LocalModel, gold: Gold, seed: int) -> Memory | None:
    """The mentions in `gold` that `model` has spans for, `LARGEST` drawn by `seed` where there are
    more; None where there are none. What stands twice in the same words counts once."""
    drawn = _drawn(gold, Random(seed))  # noqa: S311 (which ones are remembered is no secret)
    cut = windows(gold.sentences, model.word_pieces, model.config)
    with_mentions = [window for window in cut if drawn[window.sentence]]
    seen = inference.through(model, with_mentions, partial(_seen, gold=gold, drawn=drawn))
    found = sorted((pair for _, pairs in seen for pair in pairs), key=lambda pair: pair[0])
    if not found:
        return None
    references, vectors = zip(*found, strict=True)
    return Memory(model.config.classes, torch.stack(vectors), torch.tensor(references))


def _drawn(gold: Gold, random: Random) -> list[dict[WordSpan, int]]:
    """The mentions to remember, by sentence."""
    distinct: dict[tuple[object, ...], tuple[int, WordSpan]] = {}
    for number, (sentence, spans) in enumerate(zip(gold.sentences, gold.spans, strict=True)):
        words = tuple(sentence.words)
        for (first, width), class_ in sorted(spans.items()):
            what = words, words[first : first + width + 1], class_
            distinct.setdefault(what, (number, (first, width)))
    drawn: list[dict[WordSpan, int]] = [{} for _ in gold.sentences]
    for number, span in random.sample([*distinct.values()], min(LARGEST, len(distinct))):
        drawn[number][span] = gold.spans[number][span]
    return drawn


def _seen(
    model: LocalModel, batch: list[Window], *, gold: Gold, drawn: list[dict[WordSpan, int]]
) -> list[list[tuple[Reference, Tensor]]]:
    """The `drawn` mentions of each window, with their vectors."""
    tensors = collate(batch, model.config.max_width).to(model.device)
    classes = targets(batch, drawn, tensors.spans)
    chosen = classes > 0
    vectors = model.classifier.vectors(model.classifier.encode(tensors), tensors, chosen).cpu()
    found: list[list[tuple[Reference, Tensor]]] = [[] for _ in batch]
    spans, numbers = chosen.nonzero().tolist(), classes[chosen].tolist()
    for (row, first, width), number, vector in zip(spans, numbers, vectors, strict=True):
        window = batch[row]
        offsets, first_word = gold.sentences[window.sentence].offsets, window.offset + first
        start, end = offsets[first_word][0], offsets[first_word + width][1]
        found[row].append(((gold.texts[window.sentence], start, end, number), vector))
    return found

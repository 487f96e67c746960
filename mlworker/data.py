"""Sentences as the model reads them: sub-words, windows, batches. Word indices live only here.

A window is as much of a sentence as the encoder takes in at once. Every span of up to
`max_width` words belongs to exactly one window, so nothing of a long sentence is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mlworker.config import ModelConfig
from mlworker.segmentation import Sentence

SHAPES = 12
IGNORED = -100
"""The target of what is no span of this window; cross-entropy passes over it."""

MARKS = (("[CLS]", "<s>"), ("[SEP]", "</s>"), ("[UNK]", "<unk>"))
"""Before a sentence, after it, and in place of what is not in the vocabulary."""

MAX_CACHED_WORDS = 200_000
MAX_WORD_CHARACTERS = 100

WordSpan = tuple[int, int]
"""A span's first word and its width less one, as indices into [word, width] arrays."""


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive words of the sentence numbered `sentence`, the first being its word `offset`.

    `pieces` are sub-word ids with the encoder's marks around them, `cases` the shape of the word
    that each belongs to, 0 for a mark; `first`, `last` and `shapes` have an entry per word. The
    window answers for spans that begin at its words `owned`.
    """

    sentence: int
    offset: int
    owned: range
    pieces: list[int]
    cases: list[int]
    first: list[int]
    last: list[int]
    shapes: list[int]

    def spans(self, max_width: int) -> int:
        """How many spans it answers for."""
        return sum(min(max_width, len(self.first) - word) for word in self.owned)


@dataclass(frozen=True)
class Batch:
    """B windows padded to T sub-words and N words.

    *Shapes:* pieces, cases, mask (B, T); first, last, shapes (B, N); spans (B, N, max_width),
    true for the spans that their window answers for.
    """

    pieces: Tensor
    cases: Tensor
    mask: Tensor
    first: Tensor
    last: Tensor
    shapes: Tensor
    spans: Tensor

    def without_case(self, share: float) -> Batch:
        """The batch with the case of a random `share` of its windows forgotten: in lower case."""
        forgotten = torch.rand(len(self.pieces), 1) < share
        cases, shapes = (
            given.masked_fill(forgotten & (given >= CASED), LOWER)
            for given in (self.cases, self.shapes)
        )
        return replace(self, cases=cases, shapes=shapes)

    def to(self, device: torch.device) -> Batch:
        return Batch(**{name: tensor.to(device) for name, tensor in vars(self).items()})


def word_shape(word: str) -> int:
    """What an uncased vocabulary does not see of `word`: one of `SHAPES` classes, 0 = padding."""
    if word[0] in "@#" and len(word) > 1:
        return 1 if word[0] == "@" else 2
    if word.startswith(("http:", "https:", "www.")):
        return 3
    if not any(map(str.isalpha, word)):
        return 4 if any(map(str.isdigit, word)) else 5
    if any(map(str.isdigit, word)):
        return 6
    return _case(word)


CASED, LOWER = 7, 9
"""The first class that is a matter of case alone, and that of words in lower case."""


def _case(word: str) -> int:
    if word.isupper():
        return 7 if len(word) > 1 else 8
    if word.islower():
        return 9
    return 10 if word[0].isupper() and word[1:].islower() else 11


class WordPieces:
    """A tokeniser that takes words one by one and remembers each distinct one."""

    def __init__(self, tokenizer: Tokenizer, word_pieces: int) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.word_pieces = word_pieces
        self.begin, self.end, self.unknown = (_mark(tokenizer, names) for names in MARKS)
        self.before = " " if _is_byte_level(tokenizer) else ""
        self._cache: dict[str, list[int]] = {}

    @classmethod
    def from_file(cls, path: Path, word_pieces: int) -> WordPieces:
        """Raises `ValueError` where `path` holds no tokenizer."""
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no other
            raise ValueError(f"{path} holds no tokenizer: {error}") from error
        return cls(tokenizer, word_pieces)

    def __call__(self, sentences: Sequence[Sentence]) -> Mapping[str, list[int]]:
        """The sub-words of every word of `sentences`: at least one, at most `word_pieces`."""
        if len(self._cache) > MAX_CACHED_WORDS:
            self._cache.clear()
        new = {w: None for s in sentences for w in s.words if w not in self._cache}
        shortened = [self.before + word[:MAX_WORD_CHARACTERS] for word in new]
        encoded = self.tokenizer.encode_batch(shortened, add_special_tokens=False)
        for word, encoding in zip(new, encoded, strict=True):
            self._cache[word] = (encoding.ids or [self.unknown])[: self.word_pieces]
        return self._cache


def _mark(tokenizer: Tokenizer, names: tuple[str, ...]) -> int:
    found = [number for name in names if (number := tokenizer.token_to_id(name)) is not None]
    if not found:
        raise ValueError(f"the encoder's vocabulary has no {' or '.join(names)}")
    return int(found[0])


def _is_byte_level(tokenizer: Tokenizer) -> bool:
    """Whether a word inside a sentence is known with the blank before it, as RoBERTa's are."""
    before: dict[str, Any] = json.loads(tokenizer.to_str())["pre_tokenizer"] or {}
    return before.get("type") == "ByteLevel" and not before.get("add_prefix_space")


def windows(
    sentences: Sequence[Sentence], word_pieces: WordPieces, config: ModelConfig
) -> list[Window]:
    """All windows of all sentences, in order; most sentences are one."""
    known = word_pieces(sentences)
    marks = word_pieces.begin, word_pieces.end
    out = []
    for number, sentence in enumerate(sentences):
        pieces = [known[word] for word in sentence.words]
        shapes = [word_shape(word) for word in sentence.words]
        for start, stop, owned in _cut([len(p) for p in pieces], config):
            ids, first, last = _join(pieces[start:stop], marks)
            inside = shapes[start:stop]
            cases = [0, *chain.from_iterable(map(_repeated, inside, pieces[start:stop])), 0]
            out.append(Window(number, start, owned, ids, cases, first, last, inside))
    return out


def _cut(lengths: list[int], config: ModelConfig) -> Iterator[tuple[int, int, range]]:
    """Windows of words with `lengths` sub-words, as (start, stop, owned words within).

    Neighbours share 2 * max_width words. Spans that begin in the first half of what is shared
    fit the earlier window and are its own; the others see more context in the later one.
    """
    start, owned_from = 0, 0
    while True:
        stop, room = start, config.window_pieces - 2
        while stop < len(lengths) and lengths[stop] <= room:
            room -= lengths[stop]
            stop += 1
        if stop == len(lengths):
            yield start, stop, range(owned_from - start, stop - start)
            return
        owned_to = stop - config.max_width + 1
        yield start, stop, range(owned_from - start, owned_to - start)
        start, owned_from = stop - 2 * config.max_width, owned_to


def _join(
    pieces: list[list[int]], marks: tuple[int, int]
) -> tuple[list[int], list[int], list[int]]:
    """One window's sub-words, and the index of each word's first and last one."""
    ids, first, last = [marks[0]], [], []
    for word in pieces:
        first.append(len(ids))
        ids += word
        last.append(len(ids) - 1)
    return [*ids, marks[1]], first, last


def _repeated(shape: int, pieces: list[int]) -> list[int]:
    return [shape] * len(pieces)


def batches(
    windows: Sequence[Window], budget: int, shuffle: Random | None = None
) -> list[list[int]]:
    """Indices of windows of like length, each batch at most `budget` padded sub-words.

    With `shuffle`, windows of nearly the same length change places and batches come in any order.
    """
    jitter = [shuffle.random() * 4 if shuffle else 0.0 for _ in windows]
    order = sorted(range(len(windows)), key=lambda i: len(windows[i].pieces) + jitter[i])
    out: list[list[int]] = []
    longest = 0
    for i in order:
        longest = max(longest, len(windows[i].pieces))
        if not out or longest * (len(out[-1]) + 1) > budget:
            out.append([])
            longest = len(windows[i].pieces)
        out[-1].append(i)
    if shuffle:
        shuffle.shuffle(out)
    return out


def collate(windows: Sequence[Window], max_width: int) -> Batch:
    pieces = _pad([w.pieces for w in windows])
    cases = _pad([w.cases for w in windows])
    mask = _pad([[1] * len(w.pieces) for w in windows])
    first, last = _pad([w.first for w in windows]), _pad([w.last for w in windows])
    shapes = _pad([w.shapes for w in windows])
    words = torch.tensor([len(w.first) for w in windows])[:, None, None]
    begin = torch.tensor([w.owned.start for w in windows])[:, None, None]
    stop = torch.tensor([w.owned.stop for w in windows])[:, None, None]
    start = torch.arange(first.shape[1])[None, :, None]
    end = start + torch.arange(max_width)[None, None, :]
    spans = (begin <= start) & (start < stop) & (end < words)
    return Batch(pieces, cases, mask, first, last, shapes, spans)


def _pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """*Shape:* (len(rows), longest row), filled up with 0."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


def targets(
    windows: Sequence[Window], gold: Sequence[Mapping[WordSpan, int]], spans: Tensor
) -> Tensor:
    """The class of each span: 0 where `gold` (by sentence) has none, `IGNORED` outside `spans`.

    *Shape:* as `spans`, (B, N, max_width).
    """
    classes = torch.where(spans, 0, IGNORED)
    for row, window in enumerate(windows):
        for (word, width), number in gold[window.sentence].items():
            if word - window.offset in window.owned and width < spans.shape[2]:
                classes[row, word - window.offset, width] = number
    return classes

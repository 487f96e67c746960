"""Other names in the same sentences: mention replacement (Dai and Adel, COLING 2020).

Whether a mention is replaced is drawn for each, or for all of a sentence, and so is what replaces
it: another mention of the same class from the training set. Here every distinct name is as likely
as any other, so that rare ones are seen more often than in the corpus.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from random import Random

from mlworker.alignment import Gold
from mlworker.data import WordSpan
from mlworker.segmentation import Sentence

Name = tuple[str, ...]
"""The words of a mention."""

Names = Mapping[int, Sequence[Name]]
"""Distinct names by class, in the order of what they read."""

Spans = Mapping[WordSpan, int]
"""Mentions of one sentence, with their classes."""


def augmented(gold: Gold, random: Random, share: float) -> Gold:
    """`gold`, and after it a copy of each sentence in which a mention was replaced, each at the
    probability `share`. Names come from `gold` alone: pass no more than the training set."""
    copies = [
        (copy, spans)
        for original, (copy, spans) in zip(
            gold.sentences, _copies(gold, random, share), strict=True
        )
        if copy.words != original.words
    ]
    sentences = [*gold.sentences, *(sentence for sentence, _ in copies)]
    spans = [*gold.spans, *(spans for _, spans in copies)]
    return replace(gold, sentences=sentences, spans=spans)


def renamed(gold: Gold, names: Names, random: Random, share: float) -> Gold:
    """`gold`; in the share `share` of the sentences every mention is replaced that can be, by one
    of `names`, which are to be those of the training set."""
    taken = [
        replaced(sentence, spans, names, random, 1.0)
        if spans and random.random() < share
        else (sentence, spans)
        for sentence, spans in zip(gold.sentences, gold.spans, strict=True)
    ]
    return replace(gold, sentences=[s for s, _ in taken], spans=[spans for _, spans in taken])


def copied(gold: Gold, random: Random) -> Gold:
    """A copy of each sentence with every mention replaced that can be.

    The n-th of a sentence's sorted spans stands for the n-th of the original's.
    """
    copies = list(_copies(gold, random, 1.0))
    return Gold([sentence for sentence, _ in copies], [spans for _, spans in copies], 0)


def _copies(
    gold: Gold, random: Random, share: float
) -> Iterator[tuple[Sentence, dict[WordSpan, int]]]:
    known = names(gold)
    for sentence, spans in zip(gold.sentences, gold.spans, strict=True):
        yield replaced(sentence, spans, known, random, share)


def names(gold: Gold) -> Names:
    """The names of all mentions that could be replaced."""
    found: dict[int, set[Name]] = {}
    for sentence, spans in zip(gold.sentences, gold.spans, strict=True):
        for span in replaceable(spans):
            found.setdefault(spans[span], set()).add(_name(sentence, span))
    return {class_: sorted(known, key=" ".join) for class_, known in found.items()}


def replaceable(spans: Spans) -> list[WordSpan]:
    """The mentions that overlap no other, in order."""
    return [
        (first, width)
        for first, width in sorted(spans)
        if all(
            other + further < first or first + width < other
            for other, further in spans
            if (other, further) != (first, width)
        )
    ]


def replaced(
    sentence: Sentence, spans: Spans, names: Names, random: Random, share: float
) -> tuple[Sentence, dict[WordSpan, int]]:
    """`sentence` with each mention, at the probability `share`, replaced by another of its class,
    and where its mentions are then. What cannot be replaced stays: see `replaceable`, and classes
    of which there is but one name."""
    others: dict[int, tuple[int, Name]] = {}
    for first, width in replaceable(spans):
        own = _name(sentence, (first, width))
        if random.random() < share and (
            other := _another(names.get(spans[first, width], ()), own, random)
        ):
            others[first] = width, other
    words: list[str] = []
    begins, ends, at = {}, {}, 0
    while at < len(sentence.words):
        width, inserted = others.get(at, (0, (sentence.words[at],)))
        begins[at], at = len(words), at + width
        words += inserted
        ends[at] = len(words) - 1
        at += 1
    moved = {
        (begins[first], ends[first + width] - begins[first]): class_
        for (first, width), class_ in spans.items()
    }
    return _of_words(words), moved


def _of_words(words: list[str]) -> Sentence:
    """A sentence that stands nowhere but in the training: its words, a blank between any two."""
    starts = accumulate((len(word) + 1 for word in words), initial=0)
    return Sentence([(s, s + len(w)) for s, w in zip(starts, words, strict=False)], words)


def _name(sentence: Sentence, span: WordSpan) -> Name:
    first, width = span
    return tuple(sentence.words[first : first + width + 1])


def _another(known: Sequence[Name], own: Name, random: Random) -> Name | None:
    """One of `known`, which are sorted, other than `own`; None where there is no other."""
    at = bisect_left(known, " ".join(own), key=" ".join)
    is_known = at < len(known) and known[at] == own
    if len(known) <= is_known:
        return None
    drawn = random.randrange(len(known) - is_known)
    return known[drawn + (is_known and drawn >= at)]

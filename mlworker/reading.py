"""What a model version makes of texts, before and after it is decided which spans are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlworker import routing
from mlworker.memory import Memory
from mlworker.routing import Spans
from mlworker.schema import Faint, Lane, Method, ReadSentence, ScoredSpan, TaggedText, Text
from mlworker.segmentation import Sentence
from mlworker.uncertainty import METHODS, Floats

DIGITS, FAINT_DIGITS = 5, 4
"""Decimals of probabilities and uncertainties on the wire."""

Looked = tuple[Sentence, Spans, list[int], list[int]]
"""A sentence, its spans, and which of them are mentions and candidates."""


@dataclass(frozen=True)
class Reading:
    """The sentences of each text, and for each sentence, in order, the spans worth a look."""

    classes: tuple[str, ...]
    texts: Sequence[Text]
    sentences: list[list[Sentence]]
    spans: list[Spans]

    def tagged(
        self,
        method: Method,
        candidates_per_100: float,
        candidate_floor: float = 0.0,
        memory: Memory | None = None,
    ) -> list[TaggedText]:
        """An answer for each text: its mentions, and the candidates that the budget allows, with
        what of `memory` is nearest to them.

        `KeyError` where the texts were read without `method`, `ValueError` where there is a memory
        and they were read without vectors.
        """
        mentions = [routing.mentions(spans) for spans in self.spans]
        candidates = routing.candidates(self.spans, mentions, candidates_per_100, candidate_floor)
        flat = [sentence for part in self.sentences for sentence in part]
        looked = list(zip(flat, self.spans, mentions, candidates, strict=True))
        scored = [
            [
                *self._wire(method, sentence, spans, chosen, Lane.MENTION),
                *self._wire(method, sentence, spans, asked, Lane.CANDIDATE),
            ]
            for sentence, spans, chosen, asked in looked
        ]
        if memory is not None and flat:
            chosen = [[*m, *c] for m, c in zip(mentions, candidates, strict=True)]
            scored = self._compared(scored, chosen, memory)
        rows = zip(looked, scored, strict=True)
        return [
            _tagged(text, [next(rows) for _ in part])
            for text, part in zip(self.texts, self.sentences, strict=True)
        ]

    def _compared(
        self, scored: list[list[ScoredSpan]], chosen: list[list[int]], memory: Memory
    ) -> list[list[ScoredSpan]]:
        """The spans `scored`, which are those numbered `chosen` in each sentence, each with what
        is nearest to it."""
        vectors = np.concatenate(
            [_vectors(spans)[rows] for spans, rows in zip(self.spans, chosen, strict=True)]
        )
        ids = [text.id for text, part in zip(self.texts, self.sentences, strict=True) for _ in part]
        places = [
            (number, span.start, span.end)
            for number, found in zip(ids, scored, strict=True)
            for span in found
        ]
        nearest = memory.nearest(vectors, places)
        return [[replace(span, nearest=next(nearest)) for span in found] for found in scored]

    def _wire(
        self, method: Method, sentence: Sentence, spans: Spans, chosen: list[int], lane: Lane
    ) -> list[ScoredSpan]:
        """The spans numbered `chosen`: offsets in the text, probabilities by label."""
        if not chosen:
            return []
        probabilities = spans.probabilities[chosen].astype(np.float64)
        best = 1 + probabilities[:, 1:].argmax(axis=1)
        uncertainty = _uncertainty(method, spans, chosen, probabilities).round(DIGITS)
        out = []
        for i, row, label, u in zip(
            chosen, probabilities.round(DIGITS), best, uncertainty, strict=True
        ):
            first, last = int(spans.first[i]), int(spans.last[i])
            begin, end = sentence.context(first, last)
            out.append(
                ScoredSpan(
                    start=sentence.offsets[first][0],
                    end=sentence.offsets[last][1],
                    label=self.classes[label],
                    lane=lane,
                    probabilities=dict(zip(self.classes, row.tolist(), strict=True)),
                    uncertainty=float(u),
                    sentence_start=begin,
                    sentence_end=end,
                )
            )
        return out


def _tagged(text: Text, read: list[tuple[Looked, list[ScoredSpan]]]) -> TaggedText:
    """What was made of a text's sentences, and the spans of each, put together."""
    scored = sorted((s for _, spans in read for s in spans), key=lambda s: (s.start, s.end))
    sentences: list[ReadSentence] = []
    faint: list[Faint] = []
    for (sentence, spans, mentions, candidates), _ in read:
        (start, _), (_, end) = sentence.offsets[0], sentence.offsets[-1]
        missed = round(routing.missed(spans, mentions), DIGITS)
        sentences.append(ReadSentence(start, end, missed))
        faint += _faint(sentence, spans, {*mentions, *candidates})
    return TaggedText(text.id, scored, sentences, faint)


def _faint(sentence: Sentence, spans: Spans, taken: set[int]) -> Iterator[Faint]:
    """All spans but those `taken`."""
    rows = spans.probabilities.astype(np.float64).round(FAINT_DIGITS).tolist()
    for i, (first, last) in enumerate(zip(spans.first.tolist(), spans.last.tolist(), strict=True)):
        if i not in taken:
            yield Faint(sentence.offsets[first][0], sentence.offsets[last][1], rows[i])


def _vectors(spans: Spans) -> Floats:
    if spans.vectors is None:
        raise ValueError("these texts were read without vectors to compare with a memory")
    return spans.vectors


def _uncertainty(method: Method, spans: Spans, chosen: list[int], probabilities: Floats) -> Floats:
    """By `method`: from the probabilities where they suffice, else as the model measured it."""
    if method in METHODS:
        return METHODS[method](probabilities)
    return spans.uncertainty[method][chosen]

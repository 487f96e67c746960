"""Gold mentions, which are code points, as the spans of words that a model learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mlworker.config import TrainConfig
from mlworker.data import WordSpan
from mlworker.schema import Text
from mlworker.segmentation import Sentence, sentences


@dataclass(frozen=True)
class Gold:
    """Sentences, and for each its mentions as word spans with their class; `misaligned` counts
    the mentions that words, each span with one label, cannot express; `texts` are the ids of the
    texts that the sentences stand in, as far as they stand in any."""

    sentences: list[Sentence]
    spans: list[dict[WordSpan, int]]
    misaligned: int
    texts: list[int] = field(default_factory=list)

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
            if first is None or last is None or first[0] != last[0] or last < first:
                misaligned += 1
                continue
            found, place = spans[first[0]], (first[1], last[1] - first[1])
            # A span is of one class: where people gave it two labels, the first is learned.
            misaligned += found.setdefault(place, numbers[mention.label]) != numbers[mention.label]
        gold.sentences.extend(cut)
        gold.spans.extend(spans)
        gold.texts.extend([text.id] * len(cut))
    if not any(gold.spans):
        raise ValueError("there is no gold mention to learn from")
    return replace(gold, misaligned=misaligned)

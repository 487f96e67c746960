"""Other names in the same sentences: mention replacement (Dai and Adel, COLING 2020).

Whether a mention is replaced is drawn for each, and so is what replaces it: another mention of
the same label from the training set. Here every distinct name is as likely as any other, so that
rare ones are seen more often than in the corpus.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from mlworker.alignment import Gold, align
from mlworker.schema import Mention, Text
from mlworker.segmentation import Offsets, Sentence


@dataclass(frozen=True, order=True)
class Name:
    """What a mention reads, and its words' offsets within it (None where they are not given)."""

    surface: str
    tokens: tuple[Offsets, ...] | None


Names = Mapping[tuple[str, bool], Sequence[Name]]
"""Distinct names, by label and whether their words are given."""


@dataclass(frozen=True)
class Edit:
    start: int
    end: int
    name: Name


def names(texts: Sequence[Text]) -> Names:
    """The names of all mentions of `texts` that could be replaced, sorted."""
    found: dict[tuple[str, bool], set[Name]] = {}
    for text in texts:
        for mention in replaceable(text):
            key = mention.label, text.tokens is not None
            found.setdefault(key, set()).add(_name(text, mention))
    return {key: sorted(known) for key, known in found.items()}


def replaced(text: Text, names: Names, random: Random, share: float) -> Text:
    """`text` with each mention, at the probability `share`, replaced by another of its label.

    Its `mentions` are those of `text`, one by one, at their new offsets; `tokens` follow. What
    cannot be replaced stays: see `replaceable`, and labels of which there is but one name.
    """
    edits = []
    for mention in sorted(replaceable(text)):
        known = names.get((mention.label, text.tokens is not None), ())
        own = _name(text, mention)
        if random.random() < share and (other := _another(known, own, random)):
            edits.append(Edit(mention.start, mention.end, other))
    return _edited(text, edits)


def augment(texts: Sequence[Text], random: Random, share: float) -> list[Text]:
    """`texts`, and after them a copy with other names of each that has a mention replaced.

    Names come from `texts` alone, so pass no more than the training texts.
    """
    known = names(texts)
    copies = (replaced(text, known, random, share) for text in texts)
    return [*texts, *(copy for copy, text in zip(copies, texts, strict=True) if copy != text)]


def paired(texts: Sequence[Text], random: Random) -> list[Text]:
    """A copy of each text with every mention replaced that can be; mentions keep their order."""
    known = names(texts)
    return [replaced(text, known, random, 1.0) for text in texts]


def augmented(gold: Gold, labels: Sequence[str], random: Random, share: float) -> Gold:
    """As `augment`, of sentences and their mentions in words."""
    found = align(augment(as_texts(gold, labels), random, share), labels)
    return replace(found, misaligned=gold.misaligned)


def copied(gold: Gold, labels: Sequence[str], random: Random) -> Gold:
    """As `paired`: sentence for sentence, and in each mention for mention in the order of spans."""
    return align(paired(as_texts(gold, labels), random), labels)


def as_texts(gold: Gold, labels: Sequence[str]) -> list[Text]:
    """Each sentence as a text of its own, its words given, so that it is never cut otherwise."""
    pairs = zip(gold.sentences, gold.spans, strict=True)
    return [_as_text(number, *pair, labels) for number, pair in enumerate(pairs)]


def _as_text(
    number: int, sentence: Sentence, spans: Mapping[tuple[int, int], int], labels: Sequence[str]
) -> Text:
    words = [word.replace("\n", " ") for word in sentence.words]  # a line break ends a sentence
    starts = accumulate((len(word) + 1 for word in words), initial=0)
    tokens = [(s, s + len(word)) for s, word in zip(starts, words, strict=False)]
    mentions = [
        Mention(tokens[first][0], tokens[first + width][1], labels[class_ - 1])
        for (first, width), class_ in sorted(spans.items())
    ]
    return Text(number, " ".join(words), tokens, mentions)


def replaceable(text: Text) -> list[Mention]:
    """Mentions on one line that overlap no other and begin and end where given words do."""
    starts = {start for start, _ in text.tokens or ()}
    ends = {end for _, end in text.tokens or ()}
    return [
        mention
        for number, mention in enumerate(text.mentions)
        if (text.tokens is None or (mention.start in starts and mention.end in ends))
        and _is_name(text.text[mention.start : mention.end])
        and not any(
            other.start < mention.end and mention.start < other.end
            for at, other in enumerate(text.mentions)
            if at != number
        )
    ]


def _is_name(surface: str) -> bool:
    return len(surface.splitlines()) == 1 and surface == surface.strip()


def _name(text: Text, mention: Mention) -> Name:
    surface = text.text[mention.start : mention.end]
    if text.tokens is None:
        return Name(surface, None)
    inside = [t for t in text.tokens if mention.start <= t[0] < mention.end]
    return Name(surface, tuple((s - mention.start, e - mention.start) for s, e in inside))


def _another(known: Sequence[Name], own: Name, random: Random) -> Name | None:
    """One of `known`, which are sorted, other than `own`; None where there is no other."""
    at = bisect_left(known, own)
    is_known = at < len(known) and known[at] == own
    if len(known) <= is_known:
        return None
    drawn = random.randrange(len(known) - is_known)
    return known[drawn + (is_known and drawn >= at)]


def _edited(text: Text, edits: Sequence[Edit]) -> Text:
    """`edits` are in order and apart; every offset outside of them moves with what it marks."""
    ends = [edit.end for edit in edits]
    growth = (len(edit.name.surface) - (edit.end - edit.start) for edit in edits)
    shifts = list(accumulate(growth, initial=0))

    def moved(offset: int) -> int:
        return offset + shifts[bisect_right(ends, offset)]

    def stays(token: Offsets) -> bool:
        at = bisect_right(ends, token[0])
        return at == len(edits) or token[0] < edits[at].start

    tokens = None
    if text.tokens is not None:
        tokens = [(moved(s), moved(e)) for s, e in filter(stays, text.tokens)]
        for edit in edits:
            begin = moved(edit.start)
            tokens += [(begin + s, begin + e) for s, e in edit.name.tokens or ()]
        tokens.sort()
    starts = [0, *ends]
    parts = [text.text[a : e.start] + e.name.surface for a, e in zip(starts, edits, strict=False)]
    mentions = [replace(m, start=moved(m.start), end=moved(m.end)) for m in text.mentions]
    whole = "".join([*parts, text.text[starts[-1] :]])
    return replace(text, text=whole, tokens=tokens, mentions=mentions)

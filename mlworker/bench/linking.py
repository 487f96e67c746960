"""What the LLM brings and costs on a corpus's dev set: questions, the sweep, and both, fused.

Local model, τ, weights and cut are the product's own. τ and the weights are learned on one half of
the documents and applied to the other, and the other way round, so every document counts once; that
is done for several random halvings. Nothing that is asked or read depends on gold.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mlworker import evaluation, frontier, inference
from mlworker.bench.accuracy import Trained
from mlworker.bench.asking import (
    PAPER_PROMPT,
    SHARES,
    Span,
    answers_to,
    questions_about,
    rendered_with,
    sweep,
)
from mlworker.bench.prompts import Cost
from mlworker.evidence import proposals, said_of
from mlworker.fusion import Rules
from mlworker.llm.prompt import built_in
from mlworker.schema import (
    PROMPT,
    Answer,
    Audited,
    Evidence,
    Finds,
    Label,
    Mention,
    Method,
    Scores,
    TaggedText,
    TagRequest,
    Text,
    Turn,
    Ungrounded,
)
from mlworker.training import Corpus

HALVINGS = 10
SHOTS = (0, 5)


@dataclass(frozen=True)
class Fusion:
    """F1 of pooling, with so many percent of the sentences read: the mean of all halvings, and the
    standard deviation between them."""

    share: int
    cost: Cost | None
    pooled: float
    deviation: float


@dataclass(frozen=True)
class Linking:
    corpus: str
    local: Scores
    questions: Cost
    paper: Cost
    with_examples: dict[int, tuple[Cost, Cost]]
    """So many examples of each label, and of no entity: what our prompt takes, and the paper's."""
    llm_alone: Scores
    replaced: float
    """F1 by the paper's rule, to which it is all one what was read: the mean of all halvings."""
    shares: list[Fusion]


@dataclass(frozen=True)
class Heard:
    """All that the LLM said of a dev set: its answer to each (text, start, end), and what it found
    in each sentence (text, start, end), the riskiest first."""

    answers: dict[Span, Answer]
    sentences: list[Span]
    finds: dict[Span, Finds]


def measure(trained: Trained, corpus: Corpus, labels: Sequence[Label]) -> Linking:
    """On the dev texts of `corpus`. Raises `ValueError` where the LLM cannot be asked."""
    texts = corpus.dev
    model = inference.load(trained.folder)
    floor = trained.calibrations[Method.LEAST_CONFIDENCE].candidate_floor
    tagged = inference.tag_with(
        model, texts, Method.LEAST_CONFIDENCE, TagRequest.candidates_per_100, floor
    )
    classes = model.config.classes
    spans, asked_about = questions_about(tagged, texts)
    answers, questions = answers_to(spans, asked_about, labels, built_in(PROMPT))
    _, paper = answers_to(spans, asked_about, labels, built_in(PAPER_PROMPT))
    sentences, finds, reads = sweep(tagged, texts, labels)
    heard = Heard(answers, sentences, finds)
    everything = _audited(tagged, texts, classes, heard)
    halved = [_halved(everything, share, labels) for share in (0, *SHARES)]
    return Linking(
        corpus=trained.corpus,
        local=evaluation.scores(tagged, texts),
        questions=questions,
        paper=paper,
        with_examples={
            shots: rendered_with(shots, corpus.train, labels, asked_about) for shots in SHOTS
        },
        llm_alone=_alone(texts, finds),
        replaced=statistics.mean(halved[0].replaced()),
        shares=[_fused(known, reads.get(known.share)) for known in halved],
    )


# --- What is known -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Swept:
    """A sentence that the LLM has read, what it found there, and its turn (`schema.Turn`)."""

    start: int
    end: int
    share: float
    finds: Finds

    @property
    def ungrounded(self) -> Sequence[Ungrounded]:
        return self.finds.ungrounded

    def labels(self) -> dict[tuple[int, int], str]:
        by = self.start
        return {(by + m.start, by + m.end): m.label for m in self.finds.mentions or []}


def _audited(
    tagged: Sequence[TaggedText],
    texts: Sequence[Text],
    classes: Sequence[str],
    heard: Heard,
) -> list[Audited]:
    """All that is known of each text."""
    swept: dict[int, list[Swept]] = {text.id: [] for text in texts}
    for number, (text, start, end) in enumerate(heard.sentences, 1):
        found = heard.finds.get((text, start, end))
        if found is not None and found.mentions is not None:
            share = 100 * number / len(heard.sentences)
            swept[text].append(Swept(start, end, share, found))
    return [
        Audited(
            list(_evidence(answer, classes, heard, swept[text.id])),
            text.mentions,
            [Turn(read.start, read.end, read.share) for read in swept[text.id]],
        )
        for answer, text in zip(tagged, texts, strict=True)
    ]


def _evidence(
    tagged: TaggedText, classes: Sequence[str], heard: Heard, swept: Sequence[Swept]
) -> Iterator[Evidence]:
    for span in tagged.spans:
        answer = heard.answers.get((tagged.id, span.start, span.end))
        yield Evidence(
            span.start,
            span.end,
            lane=span.lane,
            label=span.label,
            uncertainty=span.uncertainty,
            probabilities=span.probabilities,
            answer=answer.label if answer else None,
            answer_probability=answer.probability if answer else None,
            found=said_of((span.start, span.end), swept),
        )
    known = {(span.start, span.end) for span in tagged.spans}
    faint = {
        (f.start, f.end): dict(zip(classes, f.probabilities, strict=True)) for f in tagged.faint
    }
    yield from proposals(swept, known, faint)


# --- Fusing ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Halved:
    """What is known of each text with so many percent read; and of each halving the rules by which
    each is judged, taught by the half without it."""

    share: int
    audited: list[Audited]
    halvings: list[list[Rules]]

    def pooled(self) -> list[float]:
        """F1 in each halving."""
        return [self._f1(rules) for rules in self.halvings]

    def replaced(self) -> list[float]:
        """The same by the paper's rule."""
        return [self._f1([replace(r, pool=None) for r in rules]) for rules in self.halvings]

    def _f1(self, rules: Sequence[Rules]) -> float:
        return frontier.f1(frontier.counts(self.audited, rules))


def _halved(everything: Sequence[Audited], share: int, labels: Sequence[Label]) -> Halved:
    known = [frontier.as_read(document, share) for document in everything]
    names = [label.name for label in labels]
    return Halved(share, known, [frontier.crossed(known, names, seed) for seed in range(HALVINGS)])


def _fused(known: Halved, cost: Cost | None) -> Fusion:
    pooled = known.pooled()
    return Fusion(known.share, cost, statistics.mean(pooled), statistics.stdev(pooled))


def _alone(texts: Sequence[Text], finds: dict[Span, Finds]) -> Scores:
    """The LLM that reads everything, and nobody else."""
    named: set[tuple[int, Mention]] = {
        (text, Mention(start + m.start, start + m.end, m.label))
        for (text, start, _), found in finds.items()
        for m in found.mentions or []
    }
    return Scores.count(named, {(text.id, m) for text in texts for m in text.mentions})

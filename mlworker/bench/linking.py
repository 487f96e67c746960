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
    Reading,
    Scores,
    TaggedText,
    TagRequest,
    Text,
    Ungrounded,
)
from mlworker.training import Corpus

HALVINGS = 10
SHOTS = (0, 5)


@dataclass(frozen=True)
class Fusion:
    """F1 over all documents, each judged by what was learned from the other half: the mean of all
    halvings, and of pooling also the standard deviation between them."""

    share: int
    cost: Cost | None
    replaced: float
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
    shares: list[Fusion]


@dataclass(frozen=True)
class Asked:
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
    asked = Asked(answers, sentences, finds)
    names = [label.name for label in labels]
    everything = _audited(tagged, texts, classes, asked)
    return Linking(
        corpus=trained.corpus,
        local=evaluation.scores(tagged, texts),
        questions=questions,
        paper=paper,
        with_examples={
            shots: rendered_with(shots, corpus.train, labels, asked_about) for shots in SHOTS
        },
        llm_alone=_alone(texts, finds),
        shares=[
            _fused(share, reads, [frontier.as_read(d, share) for d in everything], names)
            for share in (0, *SHARES)
        ],
    )


# --- What is known -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Swept:
    """A sentence that the LLM has read, what it found there, and its turn (`schema.Reading`)."""

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
    asked: Asked,
) -> list[Audited]:
    """All that is known of each text."""
    swept: dict[int, list[Swept]] = {text.id: [] for text in texts}
    for number, (text, start, end) in enumerate(asked.sentences, 1):
        found = asked.finds.get((text, start, end))
        if found is not None and found.mentions is not None:
            share = 100 * number / len(asked.sentences)
            swept[text].append(Swept(start, end, share, found))
    return [
        Audited(
            list(_evidence(answer, classes, asked, swept[text.id])),
            text.mentions,
            [Reading(read.start, read.end, read.share) for read in swept[text.id]],
        )
        for answer, text in zip(tagged, texts, strict=True)
    ]


def _evidence(
    tagged: TaggedText, classes: Sequence[str], asked: Asked, swept: Sequence[Swept]
) -> Iterator[Evidence]:
    for span in tagged.spans:
        answer = asked.answers.get((tagged.id, span.start, span.end))
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
def _fused(
    share: int, costs: dict[int, Cost], audited: Sequence[Audited], labels: Sequence[str]
) -> Fusion:
    scored = [_halved(audited, labels, seed) for seed in range(HALVINGS)]
    pooled = [pool for _, pool in scored]
    return Fusion(
        share,
        costs.get(share),
        statistics.mean(replaced for replaced, _ in scored),
        statistics.mean(pooled),
        statistics.stdev(pooled),
    )


def _halved(audited: Sequence[Audited], labels: Sequence[str], seed: int) -> tuple[float, float]:
    """F1 of replacing and of pooling, each half judged by what the other taught."""
    rules = frontier.crossed(audited, labels, seed)
    replaced = frontier.counts(audited, [replace(r, pool=None) for r in rules])
    return frontier.f1(replaced), frontier.f1(frontier.counts(audited, rules))


def _alone(texts: Sequence[Text], finds: dict[Span, Finds]) -> Scores:
    """The LLM that reads everything, and nobody else."""
    named: set[tuple[int, Mention]] = {
        (text, Mention(start + m.start, start + m.end, m.label))
        for (text, start, _), found in finds.items()
        for m in found.mentions or []
    }
    return Scores.count(named, {(text.id, m) for text in texts for m in text.mentions})

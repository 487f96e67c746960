"""What the LLM brings and costs on a corpus's dev set: questions, the sweep, and both, fused.

Local model, τ, weights and cut are the product's own. τ and the weights are learned on one half of
the documents and applied to the other, and the other way round, so every document counts once; that
is done for several random halvings. Nothing that is asked or read depends on gold.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mlworker import evaluation, fusion, inference, pooling
from mlworker.bench.accuracy import Trained
from mlworker.bench.asking import (
    PAPER_PROMPT,
    SHARES,
    TOGETHER,
    Span,
    answers_to,
    questions_about,
    rendered_with,
    sweep,
)
from mlworker.bench.prompts import Cost
from mlworker.calibration import calibrate
from mlworker.fusion import Rules
from mlworker.llm.prompt import built_in
from mlworker.schema import (
    NO_ENTITY,
    PROMPT,
    Answer,
    Audited,
    CandidateOutcome,
    Evidence,
    Finds,
    HeldOut,
    Label,
    Lane,
    Mention,
    Method,
    Scores,
    TaggedText,
    Text,
)
from mlworker.training import Corpus

HALVINGS = 10
CANDIDATES_PER_100 = 20.0
SHOTS = (0, 5)


@dataclass(frozen=True)
class Fusion:
    """F1 over all documents, each judged by what was learned from the other half; the mean of all
    halvings, and of the pool's lead over the LLM alone its deviation between halvings."""

    share: int
    cost: Cost | None
    replaced: float
    pooled: float
    deviation: float


@dataclass(frozen=True)
class Linking:
    corpus: str
    documents: int
    tau: float
    """Of the whole dev set, for those who run it."""
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
    tagged = inference.tag_with(model, texts, Method.LEAST_CONFIDENCE, CANDIDATES_PER_100, floor)
    classes = model.config.classes
    spans, asked_about = questions_about(tagged, texts)
    answers, questions = answers_to(spans, asked_about, labels, built_in(PROMPT), TOGETHER)
    _, paper = answers_to(spans, asked_about, labels, built_in(PAPER_PROMPT), 1)
    sentences, finds, reads = sweep(tagged, texts, labels)
    asked = Asked(answers, sentences, finds)
    names = [label.name for label in labels]
    everything = _audited(tagged, texts, classes, asked, 0)
    return Linking(
        corpus=trained.corpus,
        documents=len(texts),
        tau=_tau(everything),
        local=evaluation.scores(tagged, texts),
        questions=questions,
        paper=paper,
        with_examples={
            shots: rendered_with(shots, corpus.train, labels, asked_about) for shots in SHOTS
        },
        llm_alone=_alone(texts, finds),
        shares=[
            _fused(share, reads, _audited(tagged, texts, classes, asked, share), names)
            for share in (0, *SHARES)
        ],
    )


# --- Fusing ------------------------------------------------------------------------------------
def _audited(
    tagged: Sequence[TaggedText],
    texts: Sequence[Text],
    classes: Sequence[str],
    asked: Asked,
    share: int,
) -> list[Audited]:
    """What is known of each text where so many percent of the sentences were read."""
    read: dict[int, list[tuple[int, int, Finds]]] = {}
    for text, start, end in asked.sentences[: round(len(asked.sentences) * share / 100)]:
        found = asked.finds.get((text, start, end))
        if found is not None and found.mentions is not None:
            read.setdefault(text, []).append((start, end, found))
    return [
        Audited(list(_evidence(answer, classes, asked, read.get(text.id, []))), text.mentions)
        for answer, text in zip(tagged, texts, strict=True)
    ]


def _evidence(
    tagged: TaggedText,
    classes: Sequence[str],
    asked: Asked,
    read: Sequence[tuple[int, int, Finds]],
) -> Iterator[Evidence]:
    named = {
        (start + m.start, start + m.end): m.label for start, _, f in read for m in f.mentions or []
    }
    for span in tagged.spans:
        answer = asked.answers.get((tagged.id, span.start, span.end))
        inside = any(start <= span.start and span.end <= end for start, end, _ in read)
        yield Evidence(
            span.start,
            span.end,
            lane=span.lane,
            label=span.label,
            uncertainty=span.uncertainty,
            probabilities=span.probabilities,
            answer=answer.label if answer else None,
            answer_probability=answer.probability if answer else None,
            found=named.get((span.start, span.end), NO_ENTITY) if inside else None,
        )
    seen = {(span.start, span.end) for span in tagged.spans}
    faint = {(f.start, f.end): f.probabilities for f in tagged.faint}
    for (start, end), label in named.items():
        if (start, end) not in seen:
            local = dict(zip(classes, faint.get((start, end), []), strict=False))
            yield Evidence(start, end, Lane.PROPOSAL, label, 1.0, local, found=label)


def _tau(audited: Sequence[Audited]) -> float:
    return calibrate([o for d in audited for o in _held_out(d)], _candidates(audited)).tau


def _held_out(document: Audited) -> Iterator[HeldOut]:
    gold = {(m.start, m.end): m.label for m in document.gold}
    for span in document.evidence:
        if span.lane is Lane.MENTION:
            right = gold.get((span.start, span.end), NO_ENTITY)
            said = None if span.answer is None else span.answer == right
            yield HeldOut(span.uncertainty, span.label == right, said)


def _candidates(audited: Sequence[Audited]) -> list[CandidateOutcome]:
    return [
        CandidateOutcome(1 - span.probabilities[NO_ENTITY], (span.start, span.end) in gold)
        for document in audited
        for gold in [{(m.start, m.end) for m in document.gold}]
        for span in document.evidence
        if span.lane is Lane.CANDIDATE
    ]


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
    order = list(range(len(audited)))
    random.Random(seed).shuffle(order)  # noqa: S311 (no secret hangs on it)
    middle = len(order) // 2
    replaced: list[tuple[Audited, Rules]] = []
    pooled: list[tuple[Audited, Rules]] = []
    for learned, judged in ((order[:middle], order[middle:]), (order[middle:], order[:middle])):
        teach = [audited[i] for i in learned]
        rules = Rules(_tau(teach), asks=True)
        pool = pooling.learn(teach, labels, rules.tau)
        replaced += [(audited[i], rules) for i in judged]
        pooled += [(audited[i], replace(rules, pool=pool)) for i in judged]
    return _f1(replaced), _f1(pooled)


def _f1(judged: Sequence[tuple[Audited, Rules]]) -> float:
    fused, gold = set(), set()
    for number, (document, rules) in enumerate(judged):
        outcomes = fusion.fuse(document.evidence, rules)
        fused |= {
            (number, span.start, span.end, outcome.label)
            for span, outcome in zip(document.evidence, outcomes, strict=True)
            if outcome.label is not None
        }
        gold |= {(number, m.start, m.end, m.label) for m in document.gold}
    return Scores.count(fused, gold).f1


def _alone(texts: Sequence[Text], finds: dict[Span, Finds]) -> Scores:
    """The LLM that reads everything, and nobody else."""
    named: set[tuple[int, Mention]] = {
        (text, Mention(start + m.start, start + m.end, m.label))
        for (text, start, _), found in finds.items()
        for m in found.mentions or []
    }
    return Scores.count(named, {(text.id, m) for text in texts for m in text.mentions})

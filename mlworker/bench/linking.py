"""What the LLM brings and costs on a corpus's dev set: questions, the sweep, and both, fused.

Local model, τ, weights and cut are the product's own. τ and the weights are learned on one half of
the documents and applied to the other, and the other way round, so every document counts once; that
is done for several random halvings. Nothing that is asked or read depends on gold.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from mlworker import evaluation, fusion, inference, llm, pooling
from mlworker.bench.accuracy import Trained
from mlworker.calibration import calibrate
from mlworker.fusion import Rules
from mlworker.llm.prompt import built_in
from mlworker.schema import (
    NO_ENTITY,
    PROMPT,
    SWEEP_PROMPT,
    Answer,
    AskRequest,
    AskResult,
    Audited,
    CandidateOutcome,
    Evidence,
    Finds,
    HeldOut,
    Label,
    Lane,
    Mention,
    Method,
    Outcome,
    Passage,
    Prompt,
    Question,
    Scores,
    TaggedText,
    Text,
)

SHARES = (0, 10, 25, 50, 100)
"""Percent of the sentences that the LLM reads."""
TOGETHER = 12
"""Questions or sentences in a request."""
AT_ONCE = 4
HALVINGS = 10
CANDIDATES_PER_100 = 20.0
PAPER_PROMPT = "paper.v1"
TRIES = 6


@dataclass(frozen=True)
class Cost:
    """`spans` is what was asked about: spans, or sentences."""

    spans: int
    requests: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def requests_per_1000(self) -> float:
        return 1000 * self.requests / self.spans

    @property
    def tokens_per_span(self) -> float:
        return self.prompt_tokens / self.spans


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
    llm_alone: Scores
    shares: list[Fusion]


@dataclass(frozen=True)
class Asked:
    """All that the LLM said of a dev set: its answer to each (text, start, end), and what it found
    in each sentence (text, start, end), the riskiest first."""

    answers: dict[tuple[int, int, int], Answer]
    sentences: list[tuple[int, int, int]]
    finds: dict[tuple[int, int, int], Finds]


def measure(trained: Trained, texts: Sequence[Text], labels: Sequence[Label]) -> Linking:
    """Raises `ValueError` where the LLM cannot be asked."""
    model = inference.load(trained.folder)
    floor = trained.calibrations[Method.LEAST_CONFIDENCE].candidate_floor
    tagged = inference.tag_with(model, texts, Method.LEAST_CONFIDENCE, CANDIDATES_PER_100, floor)
    classes = model.config.classes
    answers, questions = _ask_about(tagged, texts, labels, built_in(PROMPT), TOGETHER)
    _, paper = _ask_about(tagged, texts, labels, built_in(PAPER_PROMPT), 1)
    sentences, finds, reads = _sweep(tagged, texts, labels)
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
        llm_alone=_alone(texts, finds),
        shares=[
            _fused(share, reads, _audited(tagged, texts, classes, asked, share), names)
            for share in SHARES
        ],
    )


# --- Asking ------------------------------------------------------------------------------------
def _ask_about(
    tagged: Sequence[TaggedText],
    texts: Sequence[Text],
    labels: Sequence[Label],
    prompt: Prompt,
    together: int,
) -> tuple[dict[tuple[int, int, int], Answer], Cost]:
    """Every predicted mention and candidate: the paper's fully linked run, τ = 0."""
    keys, questions = [], []
    for answer, text in zip(tagged, texts, strict=True):
        for span in answer.spans:
            at, context = span.sentence_start, text.text[span.sentence_start : span.sentence_end]
            keys.append((text.id, span.start, span.end))
            questions.append(Question(len(keys) - 1, context, span.start - at, span.end - at))
    requests = [
        AskRequest(0, 0, "openai", "", prompt, [*labels], [*questions[at : at + together]])
        for at in range(0, len(questions), together)
    ]
    results = _put(requests)
    found = {keys[a.id]: a for result in results for a in result.answers if a.label is not None}
    return found, _cost(len(questions), results)


def _sweep(
    tagged: Sequence[TaggedText], texts: Sequence[Text], labels: Sequence[Label]
) -> tuple[list[tuple[int, int, int]], dict[tuple[int, int, int], Finds], dict[int, Cost]]:
    """Every sentence, the riskiest first; and what the first so many percent of them cost."""
    ranked = sorted(
        (-sentence.missed, answer.id, sentence.start, sentence.end)
        for answer in tagged
        for sentence in answer.sentences
    )
    sentences = [(text, start, end) for _, text, start, end in ranked]
    content = {text.id: text.text for text in texts}
    passages = [
        Passage(number, content[text][start:end])
        for number, (text, start, end) in enumerate(sentences)
    ]
    prompt = built_in(SWEEP_PROMPT)
    requests = [
        AskRequest(0, 0, "openai", "", prompt, [*labels], passages=passages[at : at + TOGETHER])
        for at in range(0, len(passages), TOGETHER)
    ]
    by_request = [_put([request]) for request in requests]
    finds = {sentences[f.id]: f for results in by_request for r in results for f in r.finds}
    costs = {}
    for share in SHARES[1:]:
        read = round(len(sentences) * share / 100)
        first = [r for results in by_request[: -(-read // TOGETHER)] for r in results]
        costs[share] = _cost(read, first)
    return sentences, finds, costs


def _put(requests: Sequence[AskRequest]) -> list[AskResult]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [result for results in threads.map(_settled, requests) for result in results]


def _settled(request: AskRequest) -> list[AskResult]:
    """The results of all requests that it took; one that the server refused is halved."""
    results: list[AskResult] = []
    for _ in range(TRIES):
        result = llm.ask(request)
        results.append(result)
        if result.outcome is Outcome.REFUSED:
            raise ValueError(f"the LLM cannot be asked: {result.reason}")
        if result.outcome is Outcome.SPLIT:
            return [*results, *(part for half in _halves(request) for part in _settled(half))]
        if result.outcome is Outcome.ANSWERED:
            return results
        time.sleep(result.retry_after or 1.0)
    raise ValueError(f"the LLM did not answer {TRIES} times: {results[-1].reason}")


def _halves(request: AskRequest) -> Iterator[AskRequest]:
    middle = request.size // 2
    for part in (slice(None, middle), slice(middle, None)):
        yield replace(request, questions=request.questions[part], passages=request.passages[part])


def _cost(spans: int, results: Sequence[AskResult]) -> Cost:
    return Cost(
        spans,
        len(results),
        sum(result.prompt_tokens for result in results),
        sum(result.completion_tokens for result in results),
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


def _alone(texts: Sequence[Text], finds: dict[tuple[int, int, int], Finds]) -> Scores:
    """The LLM that reads everything, and nobody else."""
    named: set[tuple[int, Mention]] = {
        (text, Mention(start + m.start, start + m.end, m.label))
        for (text, start, _), found in finds.items()
        for m in found.mentions or []
    }
    return Scores.count(named, {(text.id, m) for text in texts for m in text.mentions})

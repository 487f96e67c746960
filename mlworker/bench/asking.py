"""Asking the LLM of a bench: questions, with two prompts, and whole sentences to read."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mlworker import llm
from mlworker.bench.prompts import Cost
from mlworker.bench.prompts import cost as rendered
from mlworker.llm.prompt import built_in
from mlworker.schema import (
    NO_ENTITY,
    PROMPT,
    SWEEP_PROMPT,
    Answer,
    AskRequest,
    AskResult,
    Example,
    Finds,
    Label,
    Outcome,
    Passage,
    Prompt,
    Question,
    TaggedText,
    Text,
)

SHARES = (10, 25, 50, 100)
"""Percent of the sentences that the LLM reads."""
QUESTIONS, SENTENCES = 12, 10
"""In a request, as the product has them unless its operator says otherwise."""
AT_ONCE = 4
TRIES = 6
PAPER_PROMPT = "paper.v1"

Span = tuple[int, int, int]
"""Text, start and end: a span, or a sentence."""


def questions_about(
    tagged: Sequence[TaggedText], texts: Sequence[Text]
) -> tuple[list[Span], list[Question]]:
    """About every predicted mention and candidate: the paper's fully linked run, τ = 0."""
    spans: list[Span] = []
    questions: list[Question] = []
    for answer, text in zip(tagged, texts, strict=True):
        for span in answer.spans:
            at, context = span.sentence_start, text.text[span.sentence_start : span.sentence_end]
            questions.append(Question(len(spans), context, span.start - at, span.end - at))
            spans.append((text.id, span.start, span.end))
    return spans, questions


def answers_to(
    spans: Sequence[Span],
    questions: Sequence[Question],
    labels: Sequence[Label],
    prompt: Prompt,
) -> tuple[dict[Span, Answer], Cost]:
    size = prompt.form.together(QUESTIONS)
    requests = [
        AskRequest(0, 0, "openai", "", prompt, [*labels], [*questions[at : at + size]])
        for at in range(0, len(questions), size)
    ]
    results = [result for results in _put(requests) for result in results]
    found = {spans[a.id]: a for result in results for a in result.answers if a.label is not None}
    return found, _cost(len(questions), results)


def rendered_with(
    shots: int, train: Sequence[Text], labels: Sequence[Label], questions: Sequence[Question]
) -> tuple[Cost, Cost]:
    """Our prompt and the paper's, each with the same examples; not sent, only counted."""
    examples = list(_examples(shots, train, [label.name for label in labels]))
    ours, papers = (
        rendered(replace(built_in(name), examples=examples), labels, questions, QUESTIONS)
        for name in (PROMPT, PAPER_PROMPT)
    )
    return ours, papers


def _examples(shots: int, train: Sequence[Text], labels: Sequence[str]) -> Iterator[Example]:
    """So many mentions of each label, and of words outside of any, at random."""
    draw = random.Random(0)  # noqa: S311 (no secret hangs on it)
    texts = draw.sample(train, len(train))
    for label in labels:
        found = [(t.text, m) for t in texts for m in t.mentions if m.label == label][:shots]
        yield from (Example(text, m.start, m.end, m.label) for text, m in found)
    plain = [text for text in texts if text.tokens and not text.mentions][:shots]
    for text in plain:
        start, end = draw.choice(text.tokens or [])
        yield Example(text.text, start, end, NO_ENTITY)


def sweep(
    tagged: Sequence[TaggedText], texts: Sequence[Text], labels: Sequence[Label]
) -> tuple[list[Span], dict[Span, Finds], dict[int, Cost]]:
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
        AskRequest(0, 0, "openai", "", prompt, [*labels], passages=passages[at : at + SENTENCES])
        for at in range(0, len(passages), SENTENCES)
    ]
    by_request = _put(requests)
    finds = {sentences[f.id]: f for results in by_request for r in results for f in r.finds}
    costs = {}
    for share in SHARES:
        read = round(len(sentences) * share / 100)
        first = [r for results in by_request[: -(-read // SENTENCES)] for r in results]
        costs[share] = _cost(read, first)
    return sentences, finds, costs


def _put(requests: Sequence[AskRequest]) -> list[list[AskResult]]:
    """The results of each request."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(_settled, requests))


def _settled(request: AskRequest) -> list[AskResult]:
    """The results of all requests that it took; one that the server refused is parted in two."""
    results: list[AskResult] = []
    while len(results) < TRIES:
        result = llm.ask(request)
        if result.outcome is not Outcome.WAIT:
            results.append(result)
        if result.outcome is Outcome.REFUSED:
            raise ValueError(f"the LLM cannot be asked: {result.reason}")
        if result.outcome is Outcome.SPLIT:
            parts = _parted(request, result.at_fault)
            return [*results, *(settled for part in parts for settled in _settled(part))]
        if result.outcome is Outcome.ANSWERED:
            return results
        time.sleep(result.retry_after or 1.0)
    raise ValueError(f"the LLM did not answer {TRIES} times: {results[-1].reason}")


def _parted(request: AskRequest, at_fault: int | None) -> Iterator[AskRequest]:
    """As the product does (`annotator.chunks.split`)."""
    first = {at_fault} if at_fault in request.ids else {*request.ids[: request.size // 2]}
    for inside in (True, False):
        yield replace(
            request,
            questions=[q for q in request.questions if (q.id in first) is inside],
            passages=[p for p in request.passages if (p.id in first) is inside],
        )


def _cost(spans: int, results: Sequence[AskResult]) -> Cost:
    return Cost(
        spans,
        sum(result.sent for result in results),
        sum(result.prompt_tokens for result in results),
        sum(result.completion_tokens for result in results),
    )

"""Reading an LLM's reply, strictly: what is not plainly an answer leaves its question unresolved.

`{"answers": [{"id": 1, "label": "C"}]}` answers item 1 with option C. There is no guessing at
prose, code fences or labels that are nearly right, because a wrong guess would look like an
answer. To the paper's one question the name of an option, and nothing else, is an answer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlworker.llm import logprobs, sweep
from mlworker.llm.logprobs import Weight
from mlworker.llm.outcomes import bounded, unresolved
from mlworker.llm.prompt import Messages
from mlworker.llm.replies import entries
from mlworker.schema import Answer, AskRequest, AskResult, Form, Outcome, Question

MAX_TOKENS = 2**31 - 1
NOT_OFFERED = "the LLM chose an option that was not offered"

UNFINISHED = {
    "length": "the LLM's answer was cut off",
    "content_filter": "a content filter held the LLM's answer back",
}

Found = dict[int, list[tuple[Any, Weight]]]
"""Item number → the labels given for it, each with how likely it was."""


def read(request: AskRequest, messages: Messages, reply: str) -> AskResult:
    """The result of a request from the body of the server's HTTP 200."""
    try:
        body = json.loads(reply)
        choice = body["choices"][0]
        message = choice["message"]
        content = message.get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return unresolved(request, "the server's reply is not a chat completion", reply)
    return replace(
        _read_choice(request, messages, choice, content),
        raw=bounded(content if isinstance(content, str) else reply),
        prompt_tokens=_count(body, "prompt_tokens"),
        completion_tokens=_count(body, "completion_tokens"),
    )


def _read_choice(
    request: AskRequest, messages: Messages, choice: Mapping[str, Any], content: Any
) -> AskResult:
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and finish in UNFINISHED:
        return unresolved(request, UNFINISHED[finish])
    if choice["message"].get("refusal"):
        return unresolved(request, "the LLM refused to answer")
    if not isinstance(content, str) or not content.strip():
        return unresolved(request, "the LLM's answer was empty")
    if request.prompt.form is Form.SWEEP:
        finds = sweep.parse(content, messages.options, request.passages)
        return AskResult(request.chunk, request.attempt, Outcome.ANSWERED, finds=finds)
    read_content = parse if request.prompt.form is Form.CHOICE else parse_name
    answers = read_content(content, messages.options, request.questions, choice.get("logprobs"))
    return AskResult(request.chunk, request.attempt, Outcome.ANSWERED, answers)


def parse(
    content: str,
    options: Mapping[str, str],
    questions: Sequence[Question],
    token_logprobs: Any = None,
) -> list[Answer]:
    """One answer per question, in their order; item numbers count the questions from 1.

    `token_logprobs` is the `logprobs` object of the chat completion, if there is one.
    """
    try:
        found = _found(content, options, token_logprobs)
        if found.keys() - range(1, len(questions) + 1):
            # Most likely all numbers are off by one, so no other answer can be trusted either.
            raise ValueError("the LLM answered an item that was not asked")
    except ValueError as error:
        return [Answer(question.id, None, reason=str(error)) for question in questions]
    return [
        _answer(question, found.get(number, []), options)
        for number, question in enumerate(questions, start=1)
    ]


def parse_name(
    content: str,
    options: Mapping[str, str],
    questions: Sequence[Question],
    token_logprobs: Any,
) -> list[Answer]:
    """The answer to the one question: an option's name, with nothing but white space around it."""
    (question,) = questions
    name = content.strip()
    if name not in options:
        return [Answer(question.id, None, reason=NOT_OFFERED)]
    return [_weighed(question, name, logprobs.of_name(name, token_logprobs, options), options)]


def _answer(
    question: Question, given: list[tuple[Any, Weight]], options: Mapping[str, str]
) -> Answer:
    if len(given) != 1:
        several = "gave several answers" if given else "gave no answer"
        return Answer(question.id, None, reason=f"the LLM {several} to this question")
    code, weight = given[0]
    if not isinstance(code, str) or code not in options:
        return Answer(question.id, None, reason=NOT_OFFERED)
    return _weighed(question, code, weight, options)


def _weighed(question: Question, option: str, weight: Weight, options: Mapping[str, str]) -> Answer:
    shares = weight.shares and {options[other]: p for other, p in weight.shares.items()}
    return Answer(question.id, options[option], weight.probability, probabilities=shares)


def _found(content: str, options: Mapping[str, str], token_logprobs: Any) -> Found:
    """Raises `ValueError` where `content` is not of the form that was asked for."""
    answers = entries(content, "answers")
    labels = [answer.get("label") for answer in answers]
    weights = logprobs.of_labels(content, labels, token_logprobs, options)
    found: Found = defaultdict(list)
    for answer, label, weight in zip(answers, labels, weights, strict=True):
        found[answer["id"]].append((label, weight))
    return found


def _count(body: Mapping[str, Any], key: str) -> int:
    """A number of tokens that the server reports; 0 where it does not."""
    usage = body.get("usage")
    value = usage.get(key) if isinstance(usage, dict) else None
    return min(max(value, 0), MAX_TOKENS) if isinstance(value, int) else 0

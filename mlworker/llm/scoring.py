"""The provider `transformers`: a chat model in this process that scores options and writes nothing.

Each question is put alone, with the same messages as to any other LLM, and the model's turn is
begun for it with `{"answers":[{"id":1,"label":"`. How likely each option's code is to follow gives
the probability of each option; the likeliest is the answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, PreTrainedModel

from mlworker import hardware
from mlworker.llm import chat
from mlworker.llm.chat import ChatModel, Tokens
from mlworker.llm.outcomes import refused, retry
from mlworker.llm.prompt import build
from mlworker.schema import Answer, AskRequest, AskResult, Form, Outcome, Question

BEGINNINGS = {Form.CHOICE: '{"answers":[{"id":1,"label":"', Form.QUESTION: ""}
"""What stands before an option in the model's turn."""


@dataclass(frozen=True)
class Tokenised:
    """A request as tokens: a prompt for each question, which reaches to where an option follows,
    and the options by name."""

    prompts: list[Tokens]
    options: dict[str, Tokens]


def ask(request: AskRequest) -> AskResult:
    started = time.monotonic()
    if request.passages:
        return refused(request, "this LLM only scores options; it cannot read sentences")
    try:
        model = chat.configured(request.model)
        asked = tokenised(model, request)
    except ValueError as error:
        return refused(request, str(error))
    try:
        answers = _answers(model, request.questions, asked)
    except (RuntimeError, MemoryError) as error:
        if not hardware.out_of_memory(error):
            raise
        return retry(request, f"beside {model.name} there is no memory left for a single question")
    return AskResult(
        request.chunk,
        request.attempt,
        Outcome.ANSWERED,
        answers,
        prompt_tokens=sum(map(len, asked.prompts)),
        latency_ms=round(1000 * (time.monotonic() - started)),
        billed=False,
    )


def tokenised(model: ChatModel, request: AskRequest) -> Tokenised:
    """Raises `ValueError` where the model's tokenizer or template cannot put the questions."""
    parts = [build(replace(request, questions=[question])) for question in request.questions]
    codes = parts[0].options
    turns = model.turns([BEGINNINGS[request.prompt.form] + code for code in codes])
    if len(set(turns)) < len(turns):
        raise ValueError(f"the tokenizer of {model.name} cannot tell the options apart")
    # Where a code is one token with what stands before it, that is part of what is chosen.
    begun = beginning(turns)[: min(map(len, turns)) - 1]
    return Tokenised(
        prompts=[prompt + begun for prompt in model.prompts(parts)],
        options={
            name: turn[len(begun) :] for name, turn in zip(codes.values(), turns, strict=True)
        },
    )


def beginning(rows: Sequence[Tokens]) -> Tokens:
    """What all `rows` begin with."""
    pairs = zip(min(rows), max(rows), strict=False)
    return tuple(token for token, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _answers(model: ChatModel, questions: Sequence[Question], asked: Tokenised) -> list[Answer]:
    """An answer per question, in their order; one whose prompt is too long stays unresolved."""
    options = list(asked.options.values())
    longest = model.longest + 1 - max(map(len, options))
    fit = [prompt for prompt in asked.prompts if len(prompt) <= longest]
    found = hardware.fitting(lambda part: probabilities(model.model, part, options), fit)
    scored = dict(zip(fit, found, strict=True))
    answers = []
    for question, prompt in zip(questions, asked.prompts, strict=True):
        if prompt in scored:
            shares = dict(zip(asked.options, scored[prompt], strict=True))
            answers.append(_answer(question, shares))
        else:
            reason = f"its prompt of {len(prompt):,} tokens is longer than {model.name} takes in"
            answers.append(Answer(question.id, None, reason=reason))
    return answers


def _answer(question: Question, shares: dict[str, float]) -> Answer:
    if not all(map(math.isfinite, shares.values())):
        return Answer(question.id, None, reason="the LLM's scores are not numbers")
    best = max(shares, key=shares.__getitem__)
    return Answer(question.id, best, shares[best], probabilities=shares)


def probabilities(
    model: PreTrainedModel, prompts: Sequence[Tokens], options: Sequence[Tokens]
) -> list[list[float]]:
    """For each of `prompts` the probability of each of `options`, which together make 1."""
    # An option's last token is only predicted: what is read ends before it.
    stems = sorted({option[:-1] for option in options})
    rows = [prompt + stem for prompt in prompts for stem in stems]
    steps = range(max(map(len, stems)) + 1)
    ends = [len(prompt) - 1 for prompt in prompts for _ in stems]
    places = [
        [min(end + step, len(row) - 1) for step in steps]
        for row, end in zip(rows, ends, strict=True)
    ]
    with torch.inference_mode():
        hidden = _read(model, rows, torch.tensor(places, device=model.device))
        logits = model.lm_head(hidden).float()
        followed = logits.log_softmax(-1).view(len(prompts), len(stems), len(steps), -1)
        likely = [
            sum(
                followed[:, stems.index(option[:-1]), step, token]
                for step, token in enumerate(option)
            )
            for option in options
        ]
        return torch.stack(likely, dim=1).double().softmax(-1).tolist()


def _read(model: PreTrainedModel, rows: Sequence[Tokens], places: Tensor) -> Tensor:
    """The last hidden states at `places` (rows, steps). *Shape:* (rows, steps, size).

    What all rows begin with is read once. Padding stands behind, where nothing looks at it.
    """
    shared = min(len(beginning(rows)), int(places.min()))
    past = DynamicCache(config=model.config)
    if shared:
        model.base_model(_batch([rows[0][:shared]], model), past_key_values=past)
        past.batch_repeat_interleave(len(rows))
    own = _batch([row[shared:] for row in rows], model)
    hidden: Tensor = model.base_model(own, past_key_values=past).last_hidden_state
    return hidden[torch.arange(len(rows), device=hidden.device)[:, None], places - shared]


def _batch(rows: Sequence[Tokens], model: PreTrainedModel) -> Tensor:
    """*Shape:* (rows, longest)."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True).to(model.device)

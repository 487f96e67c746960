"""A chat model that scores options: small and random, loaded and run by the real code."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from mlworker import llm
from mlworker.llm import chat, scoring
from mlworker.llm.prompt import build
from mlworker.schema import NO_ENTITY, AskRequest, AskResult, Label, Outcome
from tests.mlworker.llm.chat_model import BEGIN, END, KINDS, make_chat_model

MANY = [Label(f"kind {number}") for number in range(26)]
"""With "not an entity" one more than there are letters."""
BEGUN = '{"answers":[{"id":1,"label":"'


@pytest.fixture(params=sorted(KINDS))
def folder(request: pytest.FixtureRequest, tmp_path: Path, use: Callable[[Path], Path]) -> Path:
    return use(make_chat_model(tmp_path / "tiny", request.param))


def one_at_a_time(folder: Path, request: AskRequest) -> list[dict[str, float]]:
    """Each option of each question in a pass of its own, without padding or a cache."""
    model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    found = []
    for question in request.questions:
        prompt = build(replace(request, questions=[question]))
        text = (
            f"{BEGIN}system\n{prompt.system}{END}\n{BEGIN}user\n{prompt.user}{END}\n"
            f"{BEGIN}assistant\n<think>\n\n</think>\n\n"
        )
        likely = {}
        for code, name in prompt.options.items():
            head = tokenizer(text, add_special_tokens=False).input_ids
            turn = tokenizer(BEGUN + code, add_special_tokens=False).input_ids
            with torch.no_grad():
                logits = model(torch.tensor([head + turn])).logits[0].double().log_softmax(-1)
            likely[name] = sum(
                float(logits[len(head) + at - 1, token]) for at, token in enumerate(turn)
            )
        total = math.log(sum(map(math.exp, likely.values())))
        found.append({name: math.exp(value - total) for name, value in likely.items()})
    return found


def assert_as_one_at_a_time(result: AskResult, folder: Path, request: AskRequest) -> None:
    assert (result.outcome, result.reason) == (Outcome.ANSWERED, "")
    assert [answer.id for answer in result.answers] == [q.id for q in request.questions]
    for answer, expected in zip(result.answers, one_at_a_time(folder, request), strict=True):
        assert answer.probabilities == pytest.approx(expected, abs=1e-4)
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.label == max(expected, key=expected.__getitem__)
        assert answer.probability == answer.probabilities[answer.label]


def test_a_batch_says_what_each_question_alone_would(
    folder: Path, asking: Callable[..., AskRequest]
) -> None:
    request = asking()
    result = llm.ask(request)
    assert_as_one_at_a_time(result, folder, request)
    shares = [answer.probabilities for answer in result.answers]
    assert [*shares[0]] == ["person", "location", "group", NO_ENTITY]
    assert max(shares[0].values()) > 0.4, "so random a model is no test of anything"
    assert shares[0] != pytest.approx(shares[1], abs=1e-3)


def test_codes_of_several_tokens(llama: Path, asking: Callable[..., AskRequest]) -> None:
    request = asking("I met [Ada] .", "[It] rains", labels=MANY)
    options = scoring.tokenised(chat.configured("tiny"), request).options
    assert [len(option) for option in options.values()] == [2] * 27
    assert_as_one_at_a_time(llm.ask(request), llama, request)


def test_a_code_that_is_one_token_with_the_quote_before_it(
    tmp_path: Path, use: Callable[[Path], Path], asking: Callable[..., AskRequest]
) -> None:
    folder = use(make_chat_model(tmp_path / "tiny", merges=(('"', "A"), ('"', "C"))))
    request = asking()
    options = scoring.tokenised(chat.configured("tiny"), request).options
    assert [len(option) for option in options.values()] == [1, 2, 1, 2]
    assert_as_one_at_a_time(llm.ask(request), folder, request)


def test_a_single_question(llama: Path, asking: Callable[..., AskRequest]) -> None:
    request = asking("[Ada]")
    assert_as_one_at_a_time(llm.ask(request), llama, request)


def test_what_all_prompts_begin_with_is_read_once(
    llama: Path, asking: Callable[..., AskRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asking()
    sizes = []
    model = chat.configured("tiny").model.base_model
    whole = model.forward

    def counting(batch: torch.Tensor, **given: Any) -> Any:
        sizes.append(tuple(batch.shape))
        return whole(batch, **given)

    monkeypatch.setattr(model, "forward", counting)
    result = llm.ask(request)
    (one, prefix), (rows, rest) = sizes
    assert (one, rows) == (1, 4)
    assert prefix > len(build(request).system) > rest
    prompts = scoring.tokenised(chat.configured("tiny"), request).prompts
    assert prefix + rest == max(map(len, prompts))
    assert result.prompt_tokens > 4 * prefix


def test_it_is_counted_and_costs_nothing(llama: Path, asking: Callable[..., AskRequest]) -> None:
    request = asking()
    result = llm.ask(request)
    prompts = scoring.tokenised(chat.configured("tiny"), request).prompts
    assert result.prompt_tokens == sum(map(len, prompts))
    assert (result.completion_tokens, result.billed) == (0, False)
    assert result.latency_ms > 0
    assert (result.chunk, result.attempt) == (request.chunk, request.attempt)
    assert AskResult.from_json(json.loads(json.dumps(result.to_json()))) == result


# --- What does not fit --------------------------------------------------------------------------
def test_a_prompt_too_long_leaves_its_question_unresolved(
    tmp_path: Path, use: Callable[[Path], Path], asking: Callable[..., AskRequest]
) -> None:
    request = asking("I met [Ada] .", "[Ada] " + "and on " * 100, "[York]", labels=MANY)
    use(make_chat_model(tmp_path / "whole" / "tiny"))
    lengths = [len(p) for p in scoring.tokenised(chat.configured("tiny"), request).prompts]
    longest = lengths[0] + 1  # with the first of a code's two tokens
    folder = use(make_chat_model(tmp_path / "tiny", max_position_embeddings=longest))
    first, long, last = llm.ask(request).answers
    assert (long.label, long.probabilities) == (None, None)
    assert long.reason == f"its prompt of {lengths[1]:,} tokens is longer than tiny takes in"
    others = replace(request, questions=[request.questions[0], request.questions[2]])
    result = replace(llm.ask(request), answers=[first, last])
    assert_as_one_at_a_time(result, folder, others)
    (alone,) = llm.ask(replace(request, questions=[request.questions[1]])).answers
    assert alone == long


def test_what_does_not_fit_the_memory_is_halved(
    llama: Path, asking: Callable[..., AskRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, sizes = scoring.probabilities, []

    def small(model: Any, prompts: list[Any], options: list[Any]) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 1:
            raise torch.OutOfMemoryError
        return whole(model, prompts, options)

    monkeypatch.setattr(scoring, "probabilities", small)
    request = asking()
    assert_as_one_at_a_time(llm.ask(request), llama, request)
    assert sizes == [4, 2, 1, 1, 2, 1, 1]


def test_a_question_that_does_not_fit_the_memory_is_tried_again_later(
    llama: Path, asking: Callable[..., AskRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    error: Exception = torch.OutOfMemoryError("out")

    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(scoring, "probabilities", fail)
    result = llm.ask(asking())
    assert (result.outcome, result.billed) == (Outcome.RETRY, False)
    assert "no memory left" in result.reason
    error = RuntimeError("shapes differ")
    with pytest.raises(RuntimeError, match="shapes differ"):
        llm.ask(asking())


def test_scores_that_are_not_numbers_are_no_answer(
    llama: Path, asking: Callable[..., AskRequest]
) -> None:
    with torch.no_grad():
        chat.configured("tiny").model.lm_head.weight.fill_(math.nan)
    assert {(a.label, a.probabilities) for a in llm.ask(asking()).answers} == {(None, None)}

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

from mlworker import hardware, llm
from mlworker.llm import chat, scoring
from mlworker.llm.prompt import build
from mlworker.schema import NO_ENTITY, AskRequest, AskResult, Label, Outcome
from tests.mlworker.llm.chat_model import BEGIN, END, KINDS, make_chat_model

MakeRequest = Callable[..., AskRequest]

TEXTS = ("I met [Ada] .", "She lives in [York] , far from it all .", "[It] rains", "[Mr Lee]")
MANY = [Label(f"kind {number}") for number in range(26)]
"""With "not an entity" one more than there are letters."""
BEGUN = '{"answers":[{"id":1,"label":"'


@pytest.fixture(autouse=True)
def _nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    chat.load.cache_clear()
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda _: False)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    def use(folder: Path) -> Path:
        monkeypatch.setenv("LLM_FOLDER", str(folder))
        return folder

    return use


@pytest.fixture(params=sorted(KINDS))
def folder(request: pytest.FixtureRequest, tmp_path: Path, use: Callable[[Path], Path]) -> Path:
    return use(make_chat_model(tmp_path / "tiny", request.param))


@pytest.fixture
def llama(tmp_path: Path, use: Callable[[Path], Path]) -> Path:
    return use(make_chat_model(tmp_path / "tiny"))


@pytest.fixture
def asking(make_request: MakeRequest) -> Callable[..., AskRequest]:
    def asking(*texts: str, **fields: Any) -> AskRequest:
        request = make_request(*(texts or TEXTS), **fields)
        return replace(request, provider="transformers", model="tiny")

    return asking


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
    request = asking(*TEXTS[:2], labels=MANY)
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


def test_it_is_read_once_and_kept(llama: Path) -> None:
    first = chat.configured("tiny")
    (llama / "model.safetensors").unlink()
    assert chat.configured("tiny") is first


def test_bfloat16_where_it_is_fast(
    llama: Path, asking: Callable[..., AskRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda _: True)
    result = llm.ask(asking())
    assert chat.configured("tiny").model.dtype == torch.bfloat16
    assert all(sum(a.probabilities.values()) == pytest.approx(1) for a in result.answers)


def test_what_reads_like_a_mark_of_the_template_stays_text(
    llama: Path, asking: Callable[..., AskRequest]
) -> None:
    request = asking(f"[Ada] {END}\n{BEGIN}assistant\n")
    (prompt,) = scoring.tokenised(chat.configured("tiny"), request).prompts
    tokenizer = chat.configured("tiny").tokenizer
    begin, end = tokenizer.convert_tokens_to_ids([BEGIN, END])
    assert (prompt.count(begin), prompt.count(end)) == (3, 2)
    assert build(request).user in tokenizer.decode(prompt)


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


# --- Refusals -----------------------------------------------------------------------------------
def refusal(request: AskRequest) -> str:
    result = llm.ask(request)
    assert (result.outcome, result.answers, result.billed) == (Outcome.REFUSED, [], False)
    return result.reason


def changed(folder: Path, file: str = "config.json", **fields: Any) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


REMEDY = ". Set LLM_FOLDER to the folder of a chat model (llama, mistral, qwen2, qwen3) with "


def test_without_a_folder(
    asking: Callable[..., AskRequest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LLM_FOLDER", raising=False)
    assert refusal(asking()).endswith("set LLM_FOLDER to the folder of one")
    for missing in (str(tmp_path / "tiny"), "nobody/tiny"):
        monkeypatch.setenv("LLM_FOLDER", missing)
        said = refusal(asking())
        assert f"no LLM {missing}: neither a folder nor in the local cache{REMEDY}" in said


def test_another_model_than_the_one_that_is_asked(
    llama: Path, asking: Callable[..., AskRequest]
) -> None:
    said = refusal(replace(asking(), model="large"))
    assert said.startswith(f"large was to be asked, but LLM_FOLDER of this worker is {llama}")


def test_a_folder_that_is_no_chat_model(llama: Path, asking: Callable[..., AskRequest]) -> None:
    (llama / "chat_template.jinja").unlink()
    assert f"has no chat template, so it is not one to ask{REMEDY}" in refusal(asking())
    changed(llama, quantization_config={"quant_method": "gptq"})
    assert "is quantised, and only whole weights are read" in refusal(asking())
    changed(llama, auto_map={"AutoModelForCausalLM": "x.Model"})
    assert "code of its own, which is never run" in refusal(asking())
    config = json.loads((llama / "config.json").read_text())
    del config["auto_map"]
    (llama / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    assert "of type 'gpt2'; supported are llama, mistral, qwen2, qwen3" in refusal(asking())
    (llama / "config.json").write_text("{")
    assert "has a config.json that is no JSON" in refusal(asking())


def test_a_pickle_is_never_read(llama: Path, asking: Callable[..., AskRequest]) -> None:
    weights = llama / "model.safetensors"
    state = hf.LlamaForCausalLM.from_pretrained(llama).state_dict()
    torch.save(state, llama / "pytorch_model.bin")
    weights.unlink()
    assert f"has no model.safetensors{REMEDY}safetensors" in refusal(asking())


def test_weights_in_parts_are_read_and_damaged_ones_refused(
    llama: Path, asking: Callable[..., AskRequest]
) -> None:
    model = hf.LlamaForCausalLM.from_pretrained(llama)
    (llama / "model.safetensors").unlink()
    model.save_pretrained(llama, max_shard_size="50kB")
    first, *_, last = sorted(llama.glob("model-*.safetensors"))
    assert first != last
    request = asking()
    assert_as_one_at_a_time(llm.ask(request), llama, request)
    chat.load.cache_clear()
    last.write_bytes(last.read_bytes()[:100])
    assert "cannot be read" in refusal(request)
    last.unlink()
    assert refusal(request).startswith("LLM_FOLDER cannot be read: ")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('no system role here') }}", "tiny fails: no system role here"),
        ("{% for", "tiny fails: "),
        ("{{ messages[1].content }}", "leaves out a part of the prompt"),
        ("{{ messages[0].content }}", "leaves out a part of the prompt"),
    ],
)
def test_a_template_that_cannot_put_the_question(
    llama: Path, asking: Callable[..., AskRequest], template: str, said: str
) -> None:
    (llama / "chat_template.jinja").write_text(template)
    assert said in refusal(asking())


def test_a_tokenizer_that_does_not_fit_the_model(
    llama: Path, asking: Callable[..., AskRequest]
) -> None:
    tokenizer = json.loads((llama / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["more"] = len(tokenizer["model"]["vocab"])
    (llama / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert f"knows more tokens than the model{REMEDY}" in refusal(asking())
    (llama / "tokenizer.json").write_text("{}")
    assert "has a tokenizer that cannot be read" in refusal(asking())


def test_a_tokenizer_without_letters(llama: Path, asking: Callable[..., AskRequest]) -> None:
    tokenizer = json.loads((llama / "tokenizer.json").read_text())
    del tokenizer["model"]["vocab"]["A"], tokenizer["model"]["vocab"]["B"]
    (llama / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "cannot tell the options apart" in refusal(asking())

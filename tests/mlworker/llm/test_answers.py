from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlworker.llm.answers import parse
from mlworker.schema import NO_ENTITY, Answer, Question
from tests.llm_server import token

OPTIONS = {"A": "person", "B": "location", "C": NO_ENTITY}
QUESTIONS = [Question(number, "Ada", 0, 3) for number in (11, 12, 13)]

GOOD = {"answers": [{"id": 1, "label": "A"}, {"id": 2, "label": "C"}, {"id": 3, "label": "B"}]}


def labels(content: str, logprobs: Any = None) -> list[str | None]:
    return [answer.label for answer in parse(content, OPTIONS, QUESTIONS, logprobs)]


def test_it_reads_an_answer_per_question() -> None:
    assert parse(json.dumps(GOOD), OPTIONS, QUESTIONS) == [
        Answer(11, "person"),
        Answer(12, NO_ENTITY),
        Answer(13, "location"),
    ]


def test_the_order_of_the_answers_does_not_matter() -> None:
    backwards = {"answers": GOOD["answers"][::-1]}
    assert labels(" \n" + json.dumps(backwards)) == ["person", NO_ENTITY, "location"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ([], "the LLM gave no answer to this question"),
        ([{"id": 2, "label": "D"}], "the LLM chose an option that was not offered"),
        ([{"id": 2, "label": "b"}], "the LLM chose an option that was not offered"),
        ([{"id": 2, "label": "location"}], "the LLM chose an option that was not offered"),
        ([{"id": 2, "label": None}], "the LLM chose an option that was not offered"),
        ([{"id": 2, "label": ["B"]}], "the LLM chose an option that was not offered"),
        ([{"id": 2}], "the LLM chose an option that was not offered"),
        ([{"id": 2, "label": "B"}] * 2, "the LLM gave several answers to this question"),
    ],
)
def test_one_bad_answer_leaves_the_others(changed: list[Any], reason: str) -> None:
    answers = [GOOD["answers"][0], *changed, GOOD["answers"][2]]
    assert parse(json.dumps({"answers": answers}), OPTIONS, QUESTIONS) == [
        Answer(11, "person"),
        Answer(12, None, reason=reason),
        Answer(13, "location"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "I think it is a person.",
        "[]",
        "null",
        "{}",
        '{"answers": null}',
        '{"answers": {"1": "A"}}',
        '{"answers": ["A", "B", "C"]}',
        '{"answers": [{"id": "1", "label": "A"}]}',
        '{"answers": [{"id": true, "label": "A"}]}',
        '{"answers": [{"id": 1.0, "label": "A"}]}',
        '{"answers": [{"id": 0, "label": "A"}, {"id": 1, "label": "A"}]}',
        '{"answers": [{"id": 1, "label": "A"}, {"id": 4, "label": "A"}]}',
        '{"answers": [{"id": 1, "label": "A", "label": "B"}]}',
        '{"answers": [{"id": 1, "label": "A"}], "answers": []}',
        '{"answers": [{"id": 1, "label": NaN}]}',
        "```json\n" + json.dumps(GOOD) + "\n```",
        json.dumps(GOOD) + " Hope that helps!",
        json.dumps(GOOD) * 2,
        json.dumps(GOOD)[:40],
        "[" * 100_000,
        '{"answers": [{"id": ' + "9" * 5000 + ', "label": "A"}]}',
    ],
)
def test_anything_else_leaves_all_unresolved_and_says_why(content: str) -> None:
    answers = parse(content, OPTIONS, QUESTIONS)
    assert [(answer.id, answer.label) for answer in answers] == [(11, None), (12, None), (13, None)]
    assert all(answer.reason.startswith("the LLM") for answer in answers)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
GIVEN = st.fixed_dictionaries(
    {"id": st.integers(-1, 5) | JSON, "label": st.sampled_from("ABCDZ") | JSON}
)


@given(st.text() | JSON.map(json.dumps) | st.lists(GIVEN).map(lambda g: json.dumps({"answers": g})))
def test_parsing_never_raises_and_only_says_what_was_said(content: str) -> None:
    answers = parse(content, OPTIONS, QUESTIONS)
    assert [answer.id for answer in answers] == [11, 12, 13]
    for number, answer in enumerate(answers, start=1):
        if answer.label is None:
            assert answer.reason
            continue
        code = next(code for code, label in OPTIONS.items() if label == answer.label)
        said = [given for given in json.loads(content)["answers"] if given["id"] == number]
        assert [given["label"] for given in said] == [code]


@given(
    st.lists(st.sampled_from("ABC"), min_size=3, max_size=3),
    st.permutations([0, 1, 2]),
    st.sampled_from([None, 2]),
)
def test_a_right_answer_is_always_read(
    chosen: list[str], order: list[int], indent: int | None
) -> None:
    answers = [{"id": place + 1, "label": chosen[place]} for place in order]
    assert labels(json.dumps({"answers": answers}, indent=indent)) == [OPTIONS[c] for c in chosen]


ONE = '{"answers": [{"id": 1, "label": "A"}]}'
AT = ONE.index("A")


def answer_to(pieces: list[Any] | Any, content: str = ONE) -> Answer:
    return parse(content, OPTIONS, QUESTIONS[:1], {"content": pieces})[0]


def probability(pieces: list[Any] | Any, content: str = ONE) -> float | None:
    return answer_to(pieces, content).probability


def pieces(
    middle: dict[str, Any], head: str = ONE[:AT], tail: str = ONE[AT + 1 :]
) -> list[dict[str, Any]]:
    return [token(head), middle, token(tail)]


def test_a_probability_is_the_share_among_the_options() -> None:
    exact = pieces(token("A", {"A": 0.8, "B": 0.15, "C": 0.05}))
    assert probability(exact) == pytest.approx(0.8)
    others_too = pieces(token("A", {"A": 0.4, "B": 0.1, "person": 0.5}))
    assert probability(others_too) == pytest.approx(0.8)


def test_every_option_has_its_share() -> None:
    found = answer_to(pieces(token("A", {"A": 0.4, "B": 0.1, "person": 0.5})))
    assert found.probabilities == pytest.approx({"person": 0.8, "location": 0.2, NO_ENTITY: 0})
    quoted = pieces(token('"A"', {'"A"': 0.6, '"B"': 0.2, "A": 0.2}), ONE[: AT - 1], ONE[AT + 2 :])
    shares = answer_to(quoted).probabilities
    assert shares == pytest.approx({"person": 0.75, "location": 0.25, NO_ENTITY: 0})


@pytest.mark.parametrize("alternatives", [{}, {"A": 0.9}, {"A": 0.9, "person": 0.1}])
def test_without_another_option_nothing_is_known_of_the_others(
    alternatives: dict[str, float],
) -> None:
    assert answer_to(pieces(token("A", alternatives))).probabilities is None


def test_a_code_may_share_its_token_with_quotes() -> None:
    shares = {'"A"': 0.6, '"B"': 0.2, "A": 0.2}
    assert probability(pieces(token('"A"', shares), ONE[: AT - 1], ONE[AT + 2 :])) == pytest.approx(
        0.75
    )


def test_a_code_of_several_tokens_has_their_product() -> None:
    content = '{"answers": [{"id": 1, "label": "AB"}]}'
    tokens = [
        token(content[:AT]),
        token("A", {"A": 0.5}),
        token("B", {"B": 0.5}),
        token(content[AT + 2 :]),
    ]
    answers = parse(content, {"AA": "x", "AB": "y"}, QUESTIONS[:1], {"content": tokens})
    assert answers == [Answer(11, "y", pytest.approx(0.25))]


def test_tokens_before_and_after_the_answer_do_no_harm() -> None:
    exact = pieces(token("A", {"A": 0.8, "B": 0.2}))
    assert probability([token("<think>"), *exact, token("<|end|>")]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        [],
        "text",
        {"content": 3},
        [None],
        [{"token": "A"}],
        pieces({"token": "B", "logprob": -0.1}),
        pieces({"token": "A", "logprob": math.nan}),
        pieces({"token": "A", "logprob": "-0.1"}),
        pieces({"token": "A", "logprob": 10**400}),
        pieces({"token": "A", "logprob": -0.1, "top_logprobs": [7]}),
        pieces({"token": "A", "logprob": -math.inf}),
    ],
)
def test_log_probabilities_that_do_not_fit_are_left_out(tokens: Any) -> None:
    assert probability(tokens) is None
    assert labels(json.dumps(GOOD), tokens) == ["person", NO_ENTITY, "location"]


@given(st.floats(allow_nan=False))
def test_a_probability_is_a_probability(logprob: float) -> None:
    share = probability(pieces({"token": "A", "logprob": logprob}))
    assert share is None or 0 <= share <= 1

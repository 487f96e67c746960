"""The paper's one question: what it says, how its answer is read, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlworker.bench.prompts import cost
from mlworker.llm import ask
from mlworker.llm.prompt import build, built_in
from mlworker.schema import NO_ENTITY, AskRequest, Example, Label, Outcome, Prompt, Question
from tests.llm_server import LLMServer, content, token

MakeRequest = Callable[..., AskRequest]

PAPER = built_in("paper.v1")


@pytest.fixture
def one_question(make_request: MakeRequest) -> AskRequest:
    return make_request("I met [Ada] .", prompt=PAPER)


def test_it_reads_as_in_the_paper(make_request: MakeRequest) -> None:
    shots = [Example("Bo slept .", 0, 2, "person"), Example("So be it", 0, 2, NO_ENTITY)]
    messages = build(make_request("I met [Ada] .", prompt=replace(PAPER, examples=shots)))
    asked = "in this context, and only need to output the entity type"
    shot = f'"<Context>: So be it" Select the entity type of So {asked}'
    assert messages.system.split("\n\n") == [
        "Here is all entity class information:",
        "person: Names of people.\nlocation: Names of places.\ngroup",
        f'Example 1: "<Context>: Bo slept ." Select the entity type of Bo {asked}. Answer: person',
        f"Example 2: {shot}. Answer: Non-entity",
    ]
    assert messages.user == (
        f'"<Context>: I met Ada ." Select the entity type of Ada {asked}: '
        "person; location; group; Non-entity. Answer:"
    )


def test_a_questions_own_examples_stand_before_it_and_the_system_message_stays_the_same(
    make_request: MakeRequest,
) -> None:
    shared, own = Example("Bo slept .", 0, 2, "person"), Example("In Oslo", 3, 7, "location")
    request = make_request("I met [Ada] .", prompt=replace(PAPER, examples=[shared]))
    (question,) = request.questions
    gone = Example("Rex barked .", 0, 3, "dog")
    messages = build(replace(request, questions=[replace(question, examples=[gone, own])]))
    bare = build(request)
    assert messages.system == bare.system
    example, asked = messages.user.split("\n\n")
    assert example.startswith('Example 2: "<Context>: In Oslo" Select the entity type of Oslo ')
    assert example.endswith(" Answer: location")
    assert asked == bare.user


@pytest.mark.parametrize(
    ("said", "label"), [("person", "person"), (" location\n", "location"), ("Non-entity", "O")]
)
def test_the_name_of_an_option_is_an_answer(
    llm_server: LLMServer, one_question: AskRequest, said: str, label: str
) -> None:
    llm_server.always(content(said))
    (answer,) = ask(one_question).answers
    assert (answer.label, answer.reason) == (label, "")
    (received,) = llm_server.requests
    assert "response_format" not in received.body


@pytest.mark.parametrize(
    "said", ["Person", "person.", "It is a person", "dragon", '{"label": "A"}', "A", "O", "group;"]
)
def test_anything_else_is_none(llm_server: LLMServer, one_question: AskRequest, said: str) -> None:
    llm_server.always(content(said))
    (answer,) = ask(one_question).answers
    assert (answer.label, answer.probability) == (None, None)
    assert answer.reason == "the LLM chose an option that was not offered"


@pytest.mark.parametrize(
    ("tokens", "probability"),
    [
        ([token("person", {"person": 0.6, "group": 0.2})], 0.75),
        ([token("per", {"per": 0.5}), token("son", {"son": 0.8})], 0.4),
        ([token("something else", {"something else": 0.9})], None),
        (None, None),
    ],
)
def test_its_probability_is_that_of_the_name(
    llm_server: LLMServer, one_question: AskRequest, tokens: Any, probability: float | None
) -> None:
    llm_server.always(content("person", logprobs=tokens))
    (answer,) = ask(one_question).answers
    assert answer.probability == (probability and pytest.approx(probability))


def test_several_questions_or_a_label_called_non_entity_are_refused(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    two = make_request("[Ada] slept", "[Bo] slept", prompt=PAPER)
    named = make_request("[Ada] slept", prompt=PAPER, labels=[Label("Non-entity")])
    for request, reason in ((two, "one question at a time"), (named, "a label is called so")):
        result = ask(request)
        assert result.outcome is Outcome.REFUSED
        assert reason in result.reason
    assert llm_server.requests == []


@pytest.mark.parametrize("shots", [0, 5])
def test_ten_questions_together_take_a_quarter_of_the_tokens(shots: int) -> None:
    """With descriptions as long as those of WNUT'17, and as many labels."""
    labels = [
        Label(f"label{n}", "Names of such things, as people call them. " * 6) for n in "ABCDEF"
    ]
    questions = [Question(n, "I met Ada in York last summer , she said .", 6, 9) for n in range(40)]
    names = [*(label.name for label in labels), NO_ENTITY]
    examples = [Example("Bo came to see us all .", 0, 2, name) for name in names] * shots

    def asked(prompt: Prompt) -> Any:
        return cost(replace(prompt, examples=examples), labels, questions, together=10)

    ours, papers = asked(built_in()), asked(PAPER)
    assert (ours.requests, papers.requests) == (4, 40)
    assert ours.requests_per_1000 == 100
    assert ours.tokens_each <= papers.tokens_each / 4

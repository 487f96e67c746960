"""Projects: the list, one, and a new one."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from annotator.models import Document, Project
from tests import factories

from .conftest import Client_, World, post

NEW = "/api/v1/projects/"


@pytest.fixture
def operator(client_of: Client_) -> Client:
    return client_of("operator")


def test_the_list_holds_ones_own_projects_with_ones_role(world: World, annotator: Client) -> None:
    assert [(p["slug"], p["role"]) for p in annotator.get(NEW).json()["results"]] == [
        ("letters", "annotator")
    ]
    factories.add_member(world.foreign, world.people["annotator"], "manager")
    roles = {p["slug"]: p["role"] for p in annotator.get(NEW).json()["results"]}
    assert roles == {"letters": "annotator", "secrets": "manager"}


def test_the_list_takes_the_same_number_of_queries_however_long_it_is(
    world: World, owner: Client, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        factories.make_version(factories.make_project(owner=world.people["owner"]))
    with django_assert_num_queries(4):  # session, person, count, rows
        answer = owner.get(NEW).json()
    assert [p["model_version"] for p in answer["results"]] == [1] * 6


def test_one_project(world: World, owner: Client) -> None:
    gold = factories.make_document(world.project, "Bo.", status=Document.Status.GOLD)
    factories.make_mention(gold, "Bo", "person", state="accepted")
    shown = owner.get(world.url).json()
    assert shown["labels"][0] == {"name": "person", "description": "Names of a person."}
    assert [label["name"] for label in shown["labels"]] == ["person", "place", "group"]
    assert (shown["head"], shown["candidates_per_100"]) == ("softmax", 20)
    assert (shown["language"], shown["questions_per_100"]) == ("en", None)
    assert (shown["role"], shown["model_version"], shown["tau"]) == ("owner", 1, 0.4)
    assert shown["figures"] == {
        "documents": 2,
        "gold": 1,
        "to_review": 1,
        "needing_people": 1,
        "mentions_needing_people": 1,
        "mentions": 1,
        "corrections": 0,
        "asked": 0,
        "answered": 0,
        "unresolved": 0,
    }


def test_a_project_without_a_model_has_no_tau(world: World, client_of: Client_) -> None:
    shown = client_of("outsider").get(world.foreign_url).json()
    assert (shown["model_version"], shown["tau"]) == (None, None)


def test_an_operator_makes_a_project(world: World, operator: Client) -> None:
    labels = [
        {"name": "drug", "description": "A  medicine,\nby any name. 💊 "},
        {"name": "gene"},
    ]
    given = {"name": "Notes", "guidelines": " Be kind. ", "labels": labels, "language": "de"}
    answer = post(operator, NEW, given)
    assert answer.status_code == 201
    shown = answer.json()
    assert shown["labels"] == [labels[0], {"name": "gene", "description": ""}]
    assert (shown["slug"], shown["role"], shown["provider"]) == ("notes", "owner", "")
    assert (shown["guidelines"], shown["language"]) == (" Be kind. ", "de")
    assert operator.get(f"{NEW}notes/").json() == shown


def test_a_project_may_ask_the_llm_where_there_is_one(
    world: World, operator: Client, settings: Any
) -> None:
    body = {"name": "Asking", "labels": [{"name": "gene"}], "llm": True}
    settings.LLM_BASE_URL = ""
    refused = post(operator, NEW, body)
    assert (refused.status_code, [*refused.json()["errors"]]) == (400, ["llm"])
    settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"
    assert post(operator, NEW, body).json()["provider"] == "openai"


def test_a_project_may_ask_the_llm_on_this_machine(
    world: World, operator: Client, settings: Any
) -> None:
    body = {"name": "Asking", "labels": [{"name": "gene"}], "provider": "transformers"}
    settings.LLM_BASE_URL, settings.LLM_FOLDER = "http://127.0.0.1:9/v1", ""
    for provider in ("transformers", "recorded", "nonsense"):
        refused = post(operator, NEW, body | {"provider": provider})
        assert (refused.status_code, [*refused.json()["errors"]]) == (400, ["provider"])
    settings.LLM_FOLDER = "/models/tiny"
    assert post(operator, NEW, body).json()["provider"] == "transformers"
    settings.LLM_BASE_URL = ""
    other = {"name": "Other", "labels": [{"name": "gene"}], "llm": True}
    assert post(operator, NEW, other).json()["provider"] == "transformers"


LABELS = [{"name": "gene"}]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "New",
        {"name": "New"},
        {"name": "New", "labels": []},
        {"name": "New", "labels": "gene"},
        {"name": "New", "labels": ["gene"]},
        {"name": "New", "labels": [{"name": ""}]},
        {"name": "New", "labels": [{"name": "O"}]},
        {"name": "New", "labels": [{"name": " gene"}]},
        {"name": "New", "labels": [{"name": "x" * 65}]},
        {"name": "New", "labels": [{"name": "gene"}, {"name": "Gene"}]},
        {"name": "New", "labels": [{"name": "gene", "colour": "red"}]},
        {"name": "New", "labels": [{"name": "ge\x00ne"}]},
        {"name": "New", "labels": LABELS, "language": "tlh"},
        {"name": "New", "labels": LABELS, "serving": 1},
        {"name": "New", "labels": LABELS, "memberships__user": 1},
        {"name": "", "labels": LABELS},
        {"name": "   ", "labels": LABELS},
        {"name": "x" * 101, "labels": LABELS},
        {"name": "Letters", "labels": LABELS},
    ],
)
def test_a_project_that_cannot_be(world: World, operator: Client, body: Any) -> None:
    answer = post(operator, NEW, body)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert Project.objects.count() == 2

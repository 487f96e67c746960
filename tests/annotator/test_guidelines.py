"""The guidelines of a project: who reads and who changes them, and their examples from gold."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from annotator import guidelines
from annotator.examples import MARGIN
from annotator.guidelines import Example, examples_of
from annotator.models import Label, Project, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client: Client) -> User:
    owner = factories.make_user("owner")
    client.force_login(owner)
    return owner


@pytest.fixture
def project(owner: User) -> Project:
    return factories.make_project(
        "Harbour", owner=owner, guidelines="Mark <b>ships</b>.\nNot rafts."
    )


def place(project: Project) -> Label:
    return project.labels.get(name="place")


def at(name: str, project: Project) -> str:
    return reverse(f"annotator:{name}", args=[project.slug])


# --- Examples ------------------------------------------------------------------------------------
def test_examples_stand_on_their_line(project: Project) -> None:
    factories.make_gold(project, "First.\n👩‍🚀 went to Oslo by sea.\nLast.", ("Oslo", "place"))
    assert examples_of(place(project)) == [Example("👩‍🚀 went to ", "Oslo", " by sea.")]


@pytest.mark.parametrize("before", [0, 1, MARGIN - 1, MARGIN, MARGIN + 1, MARGIN + 2, 500])
@pytest.mark.parametrize("after", [0, 1, MARGIN - 1, MARGIN, MARGIN + 1, 500])
def test_no_word_is_cut_wherever_the_mention_stands(
    project: Project, before: int, after: int
) -> None:
    """As from the whole text, though only the part around the mention is read."""
    left, right = ("wave " * 120)[-before or 600 :], (" tide" * 120)[:after]
    factories.make_gold(project, f"{left}Oslo{right}", ("Oslo", "place"))
    (example,) = examples_of(place(project))
    expected = guidelines.on_its_line(f"{left}Oslo{right}", len(left), len(left) + 4)
    assert (example.before, example.surface, example.after) == expected


def test_no_more_than_three_and_no_words_twice(project: Project) -> None:
    for name in ("Oslo", "OSLO", "Rome", "Oslo", "Kyiv", "Lima"):
        factories.make_gold(project, f"To {name}.", (name, "place"))
    assert [e.surface for e in examples_of(place(project))] == ["Oslo", "Rome", "Kyiv"]


def test_only_gold_of_this_label_is_shown(project: Project) -> None:
    factories.make_mention(factories.make_document(project, "In Rome."), "Rome", "place")
    reviewed = factories.make_gold(project, "Ada saw Lima and Kyiv.", ("Ada", "person"))
    factories.make_mention(reviewed, "Lima", "place", state="rejected")
    begun = factories.make_document(project, "In Oslo.")
    factories.make_mention(begun, "Oslo", "place", state="accepted")
    elsewhere = factories.make_project()
    factories.make_gold(elsewhere, "In Bern.", ("Bern", "place"))
    assert examples_of(place(project)) == []


def test_a_mention_too_long_to_show_is_passed_over(project: Project) -> None:
    long = "O" * (guidelines.LONGEST + 1)
    factories.make_gold(project, f"In {long}.", (long, "place"))
    assert examples_of(place(project)) == []


# --- Reading -------------------------------------------------------------------------------------
def test_members_read_them_as_plain_text(client: Client, project: Project) -> None:
    factories.make_gold(project, "To Oslo <i>now</i>.", ("Oslo", "place"))
    reader = factories.make_user()
    factories.add_member(project, reader)
    client.force_login(reader)
    html = client.get(at("guidelines", project)).content.decode()
    assert "Mark &lt;b&gt;ships&lt;/b&gt;.\nNot rafts." in html
    assert "Names of a place." in html
    assert ">Oslo</mark> &lt;i&gt;now&lt;/i&gt;." in html
    assert at("edit_guidelines", project) not in html


def test_a_script_gets_the_dialog_alone(client: Client, project: Project) -> None:
    html = client.get(at("guidelines", project), headers={"HX-Request": "true"}).content.decode()
    assert html.strip().startswith('<dialog id="guidelines"')
    assert html.strip().endswith("</dialog>")
    assert "Not rafts." in html
    assert "<kbd>2</kbd>" in html


def test_each_label_costs_one_query(
    client: Client, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    headers = {"HX-Request": "true"}
    with django_assert_max_num_queries(5 + project.labels.count()):
        client.get(at("guidelines", project), headers=headers)


# --- Changing ------------------------------------------------------------------------------------
def typed(project: Project, **changed: str) -> dict[str, str]:
    """The form as the page sends it, but for what is `changed` (labels by name)."""
    described = {label.name: label.description for label in project.labels.all()}
    fields = {"guidelines": project.guidelines} | described | changed
    names = {label.name: f"label-{label.pk}" for label in project.labels.all()}
    return {names.get(name, name): text for name, text in fields.items()}


def test_managers_change_guidelines_and_descriptions(client: Client, project: Project) -> None:
    data = typed(project, guidelines="Two\r\n\r\nparts", place="  Where\n things are.  ")
    response = client.post(at("edit_guidelines", project), data)
    assert response["Location"] == at("guidelines", project)
    project.refresh_from_db()
    assert project.guidelines == "Two\n\nparts"
    assert place(project).description == "Where things are."
    assert project.labels.get(name="person").description == "Names of a person."


def test_names_of_labels_stay(client: Client, project: Project) -> None:
    client.post(
        at("edit_guidelines", project), typed(project) | {"name": "other", "place": "other"}
    )
    assert [label.name for label in project.labels.all()] == list(factories.LABELS)


def test_labels_of_other_projects_stay(client: Client, project: Project) -> None:
    foreign = place(factories.make_project())
    client.post(at("edit_guidelines", project), typed(project) | {f"label-{foreign.pk}": "mine"})
    foreign.refresh_from_db()
    assert foreign.description == "Names of a place."


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"guidelines": "a\x1bb"}, "control character"),
        ({"place": "a\x00b"}, "Null characters"),
        ({"place": "x" * 2_001}, "at most 2000 characters"),
    ],
)
def test_what_cannot_be_kept_is_refused_whole(
    client: Client, project: Project, changed: dict[str, str], said: str
) -> None:
    data = typed(project, person="Somebody.") | typed(project, person="Somebody.", **changed)
    response = client.post(at("edit_guidelines", project), data)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert project.labels.get(name="person").description == "Names of a person."


def test_the_project_page_leads_there(client: Client, project: Project) -> None:
    html = client.get(at("project", project)).content.decode()
    assert at("guidelines", project) in html
    assert at("edit_guidelines", project) in html

"""The triage page and the list of mentions: what they show, refuse, do and undo."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.http import urlencode

from annotator import settling
from annotator.models import Correction, Document, Mention, Project, User
from tests import factories

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
ODD = "<b>\u202eAda & “Bo”\r\n</b>"
"""Words that would break a page, a query string or a form that is careless about them."""


@pytest.fixture
def user(client: Client) -> User:
    user = factories.make_user()
    client.force_login(user)
    return user


@pytest.fixture
def project(user: User) -> Project:
    project = factories.make_project("Harbour", annotator=user)
    factories.make_version(project)
    return project


def fill(project: Project, count: int = 3, surface: str = "Oslo") -> list[Mention]:
    texts = [f"{surface} in text {n}." for n in range(count)]
    documents = [factories.make_document(project, text) for text in texts]
    return [factories.make_doubt(document, surface, "person") for document in documents]


class Page:
    """The triage page of `project` as `client` uses it, with the group of some words."""

    def __init__(self, client: Client, project: Project, form: str = "Oslo") -> None:
        self.client, self.project = client, project
        of = project.labels.get(name="person").pk
        self.query = urlencode({"form": form, "of": of})

    def at(self, name: str) -> str:
        return f"{reverse(f'annotator:{name}', args=[self.project.slug])}?{self.query}"

    def show(self, name: str = "triage", **query: object) -> str:
        response = self.client.get(f"{self.at(name)}&{urlencode(query)}", headers=HTMX)
        assert response.status_code == 200
        return response.content.decode()

    def ask(self, **data: object) -> Any:
        return self.client.post(self.at("triage_preview"), data, headers=HTMX)

    def do(self, preview: Any) -> Any:
        fields = dict(
            re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', preview.content.decode())
        )
        return self.client.post(self.at("triage_settle"), fields, headers=HTMX)

    def undo(self, way: str = "undo") -> str:
        response = self.client.post(self.at("triage_undo"), {"way": way}, headers=HTMX)
        return str(response.content.decode())


@pytest.fixture
def desk(client: Client, project: Project) -> Page:
    return Page(client, project)


def words(html: str) -> str:
    """What is read of it."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def states(project: Project) -> list[str]:
    rows = Mention.objects.filter(document__project=project).order_by("pk")
    return [f"{mention.label.name} {mention.state}" for mention in rows]


# --- Looking ------------------------------------------------------------------------------------
def test_the_page_shows_groups_with_counts(desk: Page, project: Project) -> None:
    for mention in fill(project, 2):
        Document.objects.filter(pk=mention.document_id).update(text="Oslo? Oslo!")
    again = {"start": 6, "end": 10, "form": "Oslo", "label": mention.label, "source": "local"}
    Mention.objects.create(document=mention.document, needs_person=True, **again)
    html = words(desk.show())
    assert "Oslo 3 × times person in 2 documents uncertainty 0.60" in html
    assert "3 of the 3 mentions that need a person stand in 1 group." in html


def test_a_group_opens_into_its_sentences(desk: Page, project: Project) -> None:
    mentions = fill(project)
    html = desk.show("triage_group")
    assert html.count("<mark>Oslo</mark>") == 3
    for mention in mentions:
        to = reverse("annotator:review", args=[project.slug, mention.document_id])
        assert f"{to}?mention={mention.pk}" in html
    assert "<mark>" not in desk.show("triage_group", open="no")


def test_sentences_come_in_portions(desk: Page, project: Project) -> None:
    fill(project, 53)
    assert "3 left" in words(desk.show("triage_group"))
    rest = desk.show("triage_group", **{"from": 50})
    assert (rest.count("<mark>"), "left" in words(rest)) == (3, False)


def test_odd_words_are_shown_as_they_are_and_decided(client: Client, project: Project) -> None:
    fill(project, surface=ODD)
    desk = Page(client, project, ODD)
    assert "<b>" not in desk.show() + desk.show("triage_group")
    desk.do(desk.ask(decide="reject"))
    assert states(project) == ["person rejected"] * 3


def test_how_many_queries_a_page_takes_does_not_depend_on_its_groups(
    desk: Page, project: Project
) -> None:
    def count(name: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            desk.show(name)
        return len(queries)

    names = ("triage", "triage_group", "mentions")
    fill(project, 2)
    few = [count(name) for name in names]
    for surface in ("Oslo", "Rome", "Bergen"):
        fill(project, 5, surface)
    many = [count(name) for name in names]
    assert many == few
    assert max(many) <= 14


@pytest.mark.parametrize(
    ("count", "said"), [(0, "Nothing waits for you here"), (1, "Nothing stands here twice")]
)
def test_an_empty_page_says_what_to_do(desk: Page, project: Project, count: int, said: str) -> None:
    fill(project, count)
    assert said in words(desk.show())


# --- Deciding -----------------------------------------------------------------------------------
def test_nothing_happens_before_the_preview_was_answered(desk: Page, project: Project) -> None:
    fill(project)
    preview = desk.ask(decide="relabel place")
    assert "3 mentions in 3 documents become place." in words(preview.content.decode())
    assert states(project) == ["person suggested"] * 3
    done = desk.do(preview)
    assert done["HX-Retarget"] == "#list"
    assert "3 mentions in 3 documents became place." in words(done.content.decode())
    assert states(project) == ["place accepted"] * 3
    assert Correction.objects.values("step").distinct().count() == 1


def test_only_the_checked_ones_are_decided(desk: Page, project: Project) -> None:
    mentions = fill(project)
    done = desk.do(desk.ask(decide="reject", mention=[f"{m.pk}:0" for m in mentions[1:]]))
    assert states(project) == ["person suggested", "person rejected", "person rejected"]
    assert done["HX-Retarget"] == "closest .group"
    assert "<mark>Oslo</mark> in text 0." in done.content.decode()


def test_one_is_decided_at_once_whatever_is_checked(desk: Page, project: Project) -> None:
    one, other, _ = fill(project)
    desk.ask(one=f"accept {one.pk}:0", mention=[f"{other.pk}:0"])
    assert states(project) == ["person accepted", "person suggested", "person suggested"]


def test_what_changed_since_the_preview_is_left_alone_and_said(
    desk: Page, project: Project
) -> None:
    first, *_ = fill(project)
    preview = desk.ask(decide="accept")
    Document.objects.filter(pk=first.document_id).update(version=7)
    html = words(desk.do(preview).content.decode())
    assert "2 mentions in 2 documents were accepted as person. 1 is left alone" in html
    assert states(project) == ["person suggested", "person accepted", "person accepted"]


def test_a_large_group_is_done_in_portions(
    desk: Page, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "MOST", 2)
    monkeypatch.setattr("annotator.views.settling.MOST", 2)
    fill(project)
    preview = desk.ask(decide="accept")
    assert "These are the first 2 of 3" in words(preview.content.decode())
    desk.do(preview)
    assert states(project).count("person accepted") == 2


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"decide": "submit"},
        {"decide": "relabel"},
        {"decide": "relabel dragon"},
        {"decide": "relabel dra\0gon"},
        {"decide": "accept", "mention": "x"},
        {"decide": "accept", "mention": ["0:0", "1:0"]},
        {"decide": "accept", "mention": ["9" * 5000]},
        {"one": "undo 1:0"},
        {"one": "accept"},
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    desk: Page, project: Project, data: dict[str, object]
) -> None:
    fill(project)
    answer = desk.ask(**data)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert states(project) == ["person suggested"] * 3


def test_a_group_that_somebody_else_decided_gives_way_to_the_list(
    desk: Page, project: Project
) -> None:
    fill(project)
    desk.do(desk.ask(decide="accept"))
    assert "All of this group is decided." in desk.show("triage_group")
    left = desk.ask(decide="accept").content.decode()
    assert "Nothing is left here to decide" in left


# --- Undo ---------------------------------------------------------------------------------------
def test_one_undo_takes_the_whole_act_back_and_can_be_taken_back(
    desk: Page, project: Project
) -> None:
    fill(project)
    desk.do(desk.ask(decide="relabel group"))
    assert 'value="undo"' in desk.show()
    html = desk.undo()
    assert "Undone: 3 mentions in 3 documents." in words(html)
    assert 'value="undo"' not in html
    assert states(project) == ["person suggested"] * 3
    assert 'value="redo"' not in desk.undo("redo")
    assert states(project) == ["group accepted"] * 3


def test_acts_are_undone_one_after_the_other(desk: Page, project: Project) -> None:
    mentions = fill(project)
    for mention in mentions:
        desk.ask(one=f"accept {mention.pk}:0")
    for left in (2, 1, 0):
        desk.undo()
        assert states(project).count("person accepted") == left
    assert "There is nothing to undo." in words(desk.undo())


def test_an_act_is_undone_by_who_did_it(desk: Page, project: Project) -> None:
    fill(project)
    desk.do(desk.ask(decide="accept"))
    other = Client()
    other.force_login(factories.make_user())
    factories.add_member(project, User.objects.latest("pk"))
    assert 'value="undo"' not in Page(other, project).show()
    Page(other, project).undo()
    assert states(project) == ["person accepted"] * 3


# --- All mentions -------------------------------------------------------------------------------
def listed(desk: Page, **query: object) -> list[str]:
    return re.findall(r"<mark[^>]*>([^<]*)</mark>", desk.show("mentions", **query))


@pytest.fixture
def mentions(project: Project) -> None:
    document = factories.make_document(project, "Ada met Bo in Oslo, then Rome and Ruth.")
    factories.make_doubt(document, "Ada", "person", 0.7)
    factories.make_doubt(document, "Oslo", "place", 0.9)
    prediction = factories.make_prediction(document, "Bo", "person", uncertainty=0.1)
    factories.make_mention(document, "Bo", "person", prediction=prediction)
    factories.make_mention(document, "Rome", "place", state="accepted", source="person")
    factories.make_mention(document, "Ruth", "person", state="rejected", source="llm")


@pytest.mark.usefixtures("mentions")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["Oslo", "Ada", "Bo", "Rome", "Ruth"]),
        ({"order": "sure"}, ["Bo", "Ada", "Oslo", "Rome", "Ruth"]),
        ({"order": "text"}, ["Ada", "Bo", "Oslo", "Rome", "Ruth"]),
        ({"order": "pk; drop table"}, ["Oslo", "Ada", "Bo", "Rome", "Ruth"]),
        ({"low": "0.2", "high": "0.8"}, ["Ada"]),
        ({"low": "nan", "high": "7"}, ["Oslo", "Ada", "Bo", "Rome", "Ruth"]),
        ({"label": "place"}, ["Oslo", "Rome"]),
        ({"source": "person"}, ["Rome"]),
        ({"state": "needs"}, ["Oslo", "Ada"]),
        ({"state": "suggested"}, ["Oslo", "Ada", "Bo"]),
        ({"state": "accepted"}, ["Rome"]),
        ({"state": "rejected"}, ["Ruth"]),
        ({"version": "1"}, ["Oslo", "Ada", "Bo"]),
        ({"version": "2"}, []),
        ({"words": "o", "label": "person"}, ["Bo"]),
        ({"words": "\x00", "page": "99"}, ["Oslo", "Ada", "Bo", "Rome", "Ruth"]),
    ],
)
def test_mentions_are_found_and_sorted(
    desk: Page, query: dict[str, str], expected: list[str]
) -> None:
    assert listed(desk, **query) == expected


@pytest.mark.usefixtures("mentions")
def test_each_leads_to_its_place_in_the_text(desk: Page) -> None:
    for mention in Mention.objects.all():
        assert f"/documents/{mention.document_id}/?mention={mention.pk}" in desk.show("mentions")

"""Who may see and do what: members, others, nobody; and what every page sends along."""

from __future__ import annotations

import uuid

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from annotator.models import Document, Membership, Project, User
from annotator.urls import urlpatterns
from tests import factories

pytestmark = pytest.mark.django_db

OPEN = {"healthz", "sign_in", "sign_in_link", "theme"}
OWN = {"projects", "account", "sign_out", "new_project", "prices", "remove_price"}
OWN |= {"choose_keys", "dismiss_tour"}
OF_A_JOB = {"cancel", "pause", "resume"}
OF_A_PROMPT = {"prompt", "use_prompt", "try_prompt", "discard_trial"}
MANAGERS = {"upload", "start", "choose_llm", "choose_learning", "exports", "download", "ask_about"}
MANAGERS |= OF_A_JOB | OF_A_PROMPT | {"choose_reading", "reading_outlook", "edit_guidelines"}
CALLS = {"next", "sheet", "why", "lease", "flag", "comment"}
MEMBERS = {"project", "documents", "review_next", "review", "decide", "model"}
MEMBERS |= CALLS | {"ledger", "call", "guidelines", "progress"}
DECIDING_ALIKE = {"triage_preview", "triage_settle", "triage_undo"}
MEMBERS |= {"triage", "triage_group", "mentions"} | DECIDING_ALIKE
POSTS = {
    *CALLS - {"sheet", "why"},
    "start",
    *OF_A_JOB,
    *DECIDING_ALIKE,
    "choose_llm",
    "choose_learning",
    "decide",
    "sign_out",
    "remove_price",
    "use_prompt",
    "try_prompt",
    "discard_trial",
    "ask_about",
    "choose_reading",
    "choose_keys",
    "dismiss_tour",
}


@pytest.fixture
def owner() -> User:
    return factories.make_user("owner")


@pytest.fixture
def annotator() -> User:
    return factories.make_user("annotator")


@pytest.fixture
def document(owner: User, annotator: User) -> Document:
    project = factories.make_project(owner=owner, annotator=annotator)
    return factories.make_document(project)


def address(name: str, document: Document) -> str:
    """The page `name` of the project that `document` is in."""
    route = next(p for p in urlpatterns if p.name == name)
    known = {
        "slug": document.project.slug,
        "pk": _row(name, document),
        "name": "jsonl",
        "token": "none",
    }
    needed = route.pattern.converters
    return reverse(f"annotator:{name}", kwargs={key: known[key] for key in needed})


def _row(name: str, document: Document) -> int:
    """What the page `name` is about, where it is about one thing."""
    project = document.project
    if name in OF_A_JOB:
        return int(factories.make_job(project, state="done").pk)
    if name == "call":
        return int(factories.make_call(project).pk)
    return int(project.labels.first().pk if name == "ask_about" else document.pk)


def ask(client: Client, name: str, document: Document) -> int:
    method = client.post if name in POSTS else client.get
    response = method(address(name, document))
    if response.streaming:
        list(response)
    return response.status_code


def test_every_route_is_in_one_group() -> None:
    groups = [OPEN, OWN, MANAGERS, MEMBERS]
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted(str(p.name) for p in urlpatterns)


@pytest.mark.parametrize("name", sorted(MANAGERS | MEMBERS | OWN))
def test_strangers_are_sent_to_sign_in(name: str, client: Client, document: Document) -> None:
    response = (client.post if name in POSTS else client.get)(address(name, document))
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("name", sorted(MANAGERS | MEMBERS))
def test_a_foreign_project_does_not_exist(name: str, client: Client, document: Document) -> None:
    other = factories.make_user("other", is_superuser=True)
    factories.make_project(owner=other)
    client.force_login(other)
    assert ask(client, name, document) == 404


@pytest.mark.parametrize("name", sorted(MANAGERS))
def test_annotators_do_not_manage(
    name: str, client: Client, document: Document, annotator: User
) -> None:
    client.force_login(annotator)
    assert ask(client, name, document) == 404


@pytest.mark.parametrize("name", sorted(MEMBERS - {"why"}))
def test_annotators_do_the_rest(
    name: str, client: Client, document: Document, annotator: User
) -> None:
    client.force_login(annotator)
    assert ask(client, name, document) in {200, 302, 400, 422}


@pytest.mark.parametrize("name", sorted(POSTS))
def test_what_changes_something_is_no_link(
    name: str, client: Client, document: Document, owner: User
) -> None:
    client.force_login(owner)
    assert client.get(address(name, document)).status_code == 405


@pytest.mark.parametrize("name", ["review", "decide", *sorted(CALLS - {"next"})])
def test_a_document_is_found_in_its_own_project_only(
    name: str, client: Client, document: Document, owner: User
) -> None:
    elsewhere = factories.make_project(owner=owner)
    client.force_login(owner)
    to = reverse(f"annotator:{name}", args=[elsewhere.slug, document.pk])
    assert (client.post if name in POSTS else client.get)(to).status_code == 404


def test_a_forged_form_is_refused(document: Document, owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    data = {"id": str(uuid.uuid4()), "action": "add", "start": 0, "end": 3, "label": "person"}
    response = client.post(address("decide", document), data)
    assert response.status_code == 403
    assert not document.mentions.exists()


def test_only_operators_make_projects_and_see_prices(client: Client, owner: User) -> None:
    client.force_login(owner)
    assert client.get(reverse("annotator:new_project")).status_code == 403
    assert client.get(reverse("annotator:prices")).status_code == 403
    assert client.post(reverse("annotator:remove_price", args=[1])).status_code == 403


def test_healthz_needs_nobody(client: Client) -> None:
    assert client.get("/healthz").content == b"ok"


@pytest.mark.parametrize(
    "name",
    [
        "project",
        "documents",
        "review",
        "model",
        "upload",
        "exports",
        "ledger",
        "call",
        "guidelines",
        "triage",
        "mentions",
        "progress",
    ],
)
def test_pages_are_strict_and_not_kept(
    name: str, client: Client, document: Document, owner: User
) -> None:
    client.force_login(owner)
    response = client.get(address(name, document))
    assert "no-store" in response["Cache-Control"]
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    page = response.content.decode().lower()
    assert " style=" not in page
    assert " onclick=" not in page
    assert "<script>" not in page


def test_a_demoted_person_is_out_at_once(
    client: Client, document: Document, annotator: User
) -> None:
    client.force_login(annotator)
    Membership.objects.filter(user=annotator).delete()
    assert ask(client, "review", document) == 404
    assert not Project.objects.for_user(annotator).exists()


@pytest.mark.parametrize("page", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_error_pages_need_no_request(page: str) -> None:
    assert "To your projects" in render_to_string(page)

"""A document that was skipped comes back when there is no other, and the page says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import Document, Lease, User
from tests import factories
from tests.annotator.test_views_review import call_next, decide, decision
from tests.annotator.test_workbench_in_browser import address_of, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return factories.make_user("ada")


@pytest.fixture
def documents(user: User) -> list[Document]:
    project = factories.make_project("Harbour", annotator=user)
    factories.make_version(project)
    made = [factories.make_document(project, f"Ada met Bo in Oslo {n}.") for n in "123"]
    for document in made:
        factories.make_doubt(document, "Ada", "person", 0.5)
    return made


def skip(client: Client, document: Document) -> dict[str, Any]:
    answer: dict[str, Any] = call_next(
        client, document.project, after=document.pk, skipped=True
    ).json()
    return answer


def test_a_skipped_document_is_not_the_next_after_a_submission(
    client: Client, user: User, documents: list[Document]
) -> None:
    client.force_login(user)
    first, second, third = documents
    answer = skip(client, first)
    assert (answer["sheet"]["id"], answer["skipped"]) == (second.pk, False)
    decide(client, second, decision("submit"))
    answer = call_next(client, second.project, after=second.pk).json()
    assert (answer["sheet"]["id"], answer["skipped"]) == (third.pk, False)
    answer = skip(client, third)
    assert (answer["sheet"]["id"], answer["skipped"]) == (first.pk, True)
    assert skip(client, first)["sheet"]["id"] == third.pk


def test_the_review_page_does_not_begin_with_what_was_skipped(
    client: Client, user: User, documents: list[Document]
) -> None:
    client.force_login(user)
    first, second, _ = documents
    skip(client, first)
    Lease.objects.all().delete()
    to = client.get(reverse("annotator:review_next", args=["harbour"]))["Location"]
    assert to == address_of(second)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_skipping_the_only_one_that_a_search_finds_says_so(
    page: Page, live_server: LiveServer, user: User, documents: list[Document]
) -> None:
    sign_in(page, live_server, user)
    page.goto(live_server.url + address_of(documents[1]) + "?order=expected&q=Oslo+2")
    page.keyboard.press("s")
    expect(page.locator("#notice")).to_have_text("No other document with “Oslo 2” waits for you.")
    expect(page.locator("#text")).to_contain_text("Oslo 2")
    page.locator("#text").press("Control+Enter")
    page.wait_for_url("**/review/*")
    expect(page.get_by_role("heading")).to_contain_text("No document to review has these words")

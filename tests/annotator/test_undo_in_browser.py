"""Taking back on the review page: where it leads, and that a submission is taken back for good."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotator import review as deciding
from annotator.decisions import Decision
from annotator.models import Correction, Document, User
from tests import factories
from tests.annotator.test_workbench_in_browser import address_of, saved, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def documents(user: User) -> list[Document]:
    """Two, each with "Ada" and "Oslo" in doubt."""
    project = factories.make_project("Letters", annotator=user)
    factories.make_version(project)
    made = [factories.make_document(project, f"{n}: Ada went to Oslo.") for n in "12"]
    for document in made:
        for surface in ("Ada", "Oslo"):
            factories.make_doubt(document, surface, "person")
    return made


@pytest.fixture
def review(page: Page, live_server: LiveServer, documents: list[Document], user: User) -> Page:
    """The review page of the first of `documents`, signed in."""
    sign_in(page, live_server, user)
    page.goto(live_server.url + address_of(documents[0]))
    return page


def test_undo_and_redo_lead_to_what_they_brought_back(review: Page) -> None:
    surface = review.locator("#panel .surface q")
    review.keyboard.press("]")
    expect(surface).to_have_text("Ada went")
    review.keyboard.press("j")
    expect(surface).to_have_text("Oslo")
    review.keyboard.press("Control+z")
    expect(surface).to_have_text("Ada")
    review.keyboard.press("j")
    review.keyboard.press("Control+Shift+z")
    expect(surface).to_have_text("Ada went")


def test_undo_of_what_was_decided_before_the_page_was_opened_leads_there_too(review: Page) -> None:
    review.keyboard.press("j")
    review.keyboard.press("x")
    saved(review)
    review.reload()
    surface = review.locator("#panel .surface q")
    expect(surface).to_have_text("Ada")
    review.keyboard.press("Control+z")
    expect(surface).to_have_text("Oslo")
    expect(review.locator(".mention.needs")).to_have_count(2)


def test_a_submission_taken_back_is_shown_as_taken_back_however_slow_the_way(
    review: Page, documents: list[Document]
) -> None:
    review.keyboard.press("Control+Enter")
    expect(review.locator("#text")).to_contain_text("2: Ada")
    asked: list[str] = []
    review.on("request", lambda request: asked.append(request.url.split("/")[-2]))
    while_under_way: list[str] = []

    def late(route: Route) -> None:
        review.evaluate("() => new Promise(requestAnimationFrame)")
        while_under_way.extend(asked)
        route.continue_()

    review.route("**/decisions/", late)
    review.keyboard.press("Control+z")
    expect(review.locator("#text")).to_contain_text("1: Ada")
    expect(review.locator(".mention.needs")).to_have_count(2)
    expect(review.locator("#submit")).to_contain_text("Submit and next")
    assert "sheet" not in while_under_way
    documents[0].refresh_from_db()
    assert documents[0].status == "tagged"
    review.unroute("**/decisions/")
    expect(review.locator("#progress")).to_contain_text("0 submitted by you today")
    review.keyboard.press("Control+Shift+z")
    expect(review.locator("#submit")).to_contain_text("Next document")
    expect(review.locator("#progress")).to_contain_text("1 submitted by you today")
    documents[0].refresh_from_db()
    assert documents[0].status == "gold"


def test_a_submission_that_cannot_be_taken_back_any_more_is_said_to_stay(
    review: Page, documents: list[Document], user: User
) -> None:
    review.keyboard.press("Control+Enter")
    expect(review.locator("#text")).to_contain_text("2: Ada")
    # In another tab it is taken back, and made again.
    step = Correction.objects.get(action="submit").step
    deciding.decide(documents[0], user, Decision(uuid.uuid4(), "undo", of=step))
    deciding.submit(documents[0], user, id=uuid.uuid4())
    review.keyboard.press("Control+z")
    expect(review.locator("#text")).to_contain_text("1: Ada")
    expect(review.locator("#notice")).to_contain_text("It stays submitted")
    expect(review.locator("#progress")).to_contain_text("1 submitted by you today")
    documents[0].refresh_from_db()
    assert documents[0].status == "gold"

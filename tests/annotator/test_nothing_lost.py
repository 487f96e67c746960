"""Two hundred edits on a bad day: the network goes, the server fails, tabs die. None is lost, none
counted twice."""

from __future__ import annotations

import random

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import Correction, Document, Mention, User
from tests import factories
from tests.ops.processes import wait_until

from .test_workbench_in_browser import address_of, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

EDITS = 200
TABS = 10
OFFLINE_FROM = 7
LABELS = ("person", "place")


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def document(user: User) -> Document:
    project = factories.make_project("Names", annotator=user)
    factories.make_version(project)
    words = [f"Name{n:03}" for n in range(EDITS)]
    document = factories.make_document(project, " met ".join(words))
    for word in words:
        factories.make_doubt(document, word, "person")
    return document


class BadDay:
    """A way to the server on which each request may fail, in one of four ways."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.faults = 0

    def __call__(self, route: Route) -> None:
        fault = self.chance.choices(["none", "cut", "500", "unheard", "slow"], [6, 1, 1, 1, 1])[0]
        self.faults += fault != "none"
        if fault == "cut":
            route.abort()
        elif fault == "500":
            route.fulfill(status=500, body="")
        elif fault == "unheard":  # it arrives, and its answer is lost: to the page a timeout
            route.fetch()
            route.abort("timedout")
        else:
            route.continue_()


def test_two_hundred_edits_on_a_bad_day(
    context: BrowserContext, live_server: LiveServer, document: Document, user: User
) -> None:
    chance = random.Random(5)
    day = BadDay(seed=5)
    context.route("**/decisions/", day)
    made: dict[str, str] = {}
    for _ in range(TABS):
        page = context.new_page()
        sign_in(page, live_server, user)
        page.goto(live_server.url + address_of(document))
        expect(page.locator(".mention.needs")).not_to_have_count(0)
        what_was_left_behind_arrives(page, made)
        for n in range(EDITS // TABS):
            if n == OFFLINE_FROM:
                context.set_offline(True)
            edit(page, made, chance)
        die(page)
        context.set_offline(False)
    context.unroute_all()
    last = context.new_page()
    last.goto(live_server.url + address_of(document))
    expect(last.locator(".mention.needs")).to_have_count(0)
    wait_until(lambda: last.evaluate("localStorage.length") == 0, "all to be sent", 60)
    rows = Mention.objects.filter(document=document).select_related("label")
    assert {m.surface: f"{m.label.name} {m.state}" for m in rows} == made
    assert Correction.objects.filter(document=document).count() == EDITS
    document.refresh_from_db()
    assert document.version == EDITS
    assert day.faults > 20


def what_was_left_behind_arrives(page: Page, made: dict[str, str]) -> None:
    """What earlier tabs left behind is shown as decided once this one has sent it."""
    expect(page.locator(".mention.needs")).to_have_count(EDITS - len(made), timeout=60_000)


def edit(page: Page, made: dict[str, str], chance: random.Random) -> None:
    surface = page.locator("#panel .surface q").text_content() or ""
    key, outcome = chance.choice(
        [("a", "person accepted"), ("x", "person rejected"), ("2", "place accepted")]
    )
    page.keyboard.press(key)
    expect(page.locator("#panel .surface q")).not_to_have_text(surface)
    made[surface] = outcome


def die(page: Page) -> None:
    """Ends the tab without a word to its page."""
    page.close(run_before_unload=False)

"""Bad days at the review page: keys that are held, answers that come late or from somebody else,
sessions that end, a browser that keeps nothing. None of it costs or doubles what a person did."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotator import leases
from annotator import review as decisions
from annotator.decisions import Decision
from annotator.models import Comment, Correction, Document, Lease, User
from tests import factories

from .test_workbench_in_browser import address_of, decided, kill, saved, sign_in

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def document(user: User) -> Document:
    """The first of two, each with two mentions that need a person."""
    project = factories.make_project("Letters", annotator=user)
    factories.make_version(project)
    documents = [factories.make_document(project, "Ada met Bo in Oslo.") for _ in range(2)]
    for document in documents:
        for surface in ("Ada", "Oslo"):
            factories.make_doubt(document, surface, "person")
    return documents[0]


@pytest.fixture
def other(document: Document) -> Document:
    return document.project.documents.exclude(pk=document.pk).get()


@pytest.fixture
def review(page: Page, live_server: LiveServer, document: Document, user: User) -> Page:
    sign_in(page, live_server, user)
    return opened(page, live_server, document)


def opened(page: Page, live_server: LiveServer, document: Document) -> Page:
    page.goto(live_server.url + address_of(document))
    expect(page.locator(".mention.needs")).to_have_count(2)
    return page


def arrived(page: Page, document: Document) -> None:
    expect(page).to_have_url(re.compile(re.escape(address_of(document))))
    expect(page.locator("#name")).to_have_text(document.name)


def sign_in_by_hand(page: Page, live_server: LiveServer, user: User) -> None:
    page.goto(f"{live_server.url}/sign-in/")
    page.get_by_label("Name").fill(user.username)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{live_server.url}/")


def late(page: Page, path: str) -> Callable[[], None]:
    """Holds the first answer from `path` back until the function is called."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route(path, hold)

    def release() -> None:
        held[0].continue_()

    return release


# --- Keys and presses -----------------------------------------------------------------------------
def test_a_key_that_is_held_decides_once_and_submits_one_document(
    review: Page, document: Document, other: Document
) -> None:
    for _ in range(5):
        review.keyboard.down("a")
    review.keyboard.up("a")
    saved(review)
    assert decided(document) == {"Ada": "person accepted"}
    review.keyboard.down("Control")
    review.keyboard.down("Enter")
    arrived(review, other)
    for _ in range(5):
        review.keyboard.down("Enter")
    review.keyboard.up("Enter")
    review.keyboard.up("Control")
    saved(review)
    assert set(Document.objects.gold()) == {document}


def test_a_double_click_submits_one_document(
    review: Page, document: Document, other: Document
) -> None:
    submit = review.locator("#submit")
    submit.click(click_count=1)
    arrived(review, other)
    box = submit.bounding_box()
    assert box
    review.mouse.move(box["x"] + 9, box["y"] + 9)
    review.mouse.down(click_count=2)
    review.mouse.up(click_count=2)
    saved(review)
    assert set(Document.objects.gold()) == {document}


def test_a_button_that_enter_is_held_on_is_pressed_once(review: Page, document: Document) -> None:
    review.locator("#panel [data-act=accept]").focus()
    for _ in range(5):
        review.keyboard.down("Enter")
    review.keyboard.up("Enter")
    saved(review)
    assert decided(document) == {"Ada": "person accepted"}


def test_a_key_that_is_held_walks_and_moves_boundaries(review: Page) -> None:
    for key in ("j", "]", "]"):
        review.keyboard.down(key)
    expect(review.locator("#panel .surface q")).to_have_text("Oslo")


def test_a_comment_is_kept_once_however_often_it_is_saved(review: Page) -> None:
    review.keyboard.press("c")
    review.keyboard.type("Which Ada is this?")
    release = late(review, "**/comments/")
    review.get_by_role("button", name="Save").dblclick()
    release()
    expect(review.locator("#comments li")).to_have_count(1)
    review.wait_for_load_state("networkidle")
    assert Comment.objects.count() == 1


def test_an_answer_that_is_lost_does_not_double_a_comment(review: Page) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    review.keyboard.press("c")
    review.keyboard.type("Which Ada is this?")
    review.route("**/comments/", lose, times=1)
    review.get_by_role("button", name="Save").click()
    expect(review.locator("#notice")).to_contain_text("No answer")
    review.get_by_role("button", name="Save").click()
    expect(review.locator("#comments li")).to_have_count(1)
    assert Comment.objects.count() == 1


# --- Answers that come late -----------------------------------------------------------------------
def test_a_flag_stays_with_the_document_it_was_for(
    review: Page, document: Document, other: Document
) -> None:
    release = late(review, "**/flag/")
    review.keyboard.press("f")
    review.keyboard.press("s")
    arrived(review, other)
    release()
    expect(review.locator("#said")).to_have_text("Flagged.")
    expect(review.locator("#flag")).to_have_attribute("aria-pressed", "false")
    document.refresh_from_db()
    assert document.flagged_by


def test_going_back_twice_ends_where_the_address_says(
    review: Page, document: Document, other: Document, live_server: LiveServer
) -> None:
    review.keyboard.press("s")
    arrived(review, other)
    release = late(review, f"**{address_of(document)}sheet/")
    review.evaluate("history.back()")
    expect(review).to_have_url(live_server.url + address_of(document))
    review.evaluate("history.forward()")
    arrived(review, other)
    with review.expect_response(f"**{address_of(document)}sheet/"):
        release()
    review.evaluate("fetch(location.pathname).then((answer) => answer.text())")
    expect(review.locator("#name")).to_have_text(other.name)


# --- Sessions -------------------------------------------------------------------------------------
def test_what_was_decided_after_the_session_ended_is_saved_after_signing_in_elsewhere(
    review: Page, live_server: LiveServer, document: Document, user: User
) -> None:
    Session.objects.all().delete()
    review.keyboard.press("2")
    expect(review.locator("#state")).to_contain_text("you are signed out")
    sign_in_by_hand(review.context.new_page(), live_server, user)
    review.get_by_role("button", name="Try now").click()
    saved(review)
    assert decided(document) == {"Ada": "place accepted"}
    review.keyboard.press("f")
    expect(review.locator("#flag")).to_have_attribute("aria-pressed", "true")


def test_what_one_person_decided_is_never_saved_as_anothers(
    review: Page, live_server: LiveServer, document: Document, user: User
) -> None:
    someone = factories.make_user()
    factories.add_member(document.project, someone)
    Session.objects.all().delete()
    elsewhere = review.context.new_page()
    sign_in_by_hand(elsewhere, live_server, someone)
    review.keyboard.press("2")
    expect(review.locator("#state")).to_contain_text("somebody else is signed in")
    opened(elsewhere, live_server, document)
    expect(elsewhere.locator("#state")).to_have_text("Saved")
    elsewhere.get_by_role("button", name="Sign out").click()
    sign_in_by_hand(elsewhere, live_server, user)
    review.get_by_role("button", name="Try now").click()
    saved(review)
    assert list(Correction.objects.values_list("author", flat=True)) == [user.pk]


# --- The way to the server ------------------------------------------------------------------------
def test_a_page_of_something_in_between_is_no_answer(review: Page, document: Document) -> None:
    """A captive portal, or a proxy, answers everything with a page of its own."""

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<h1>Welcome to Free Wi-Fi</h1>")

    review.route("**/decisions/", answer, times=2)
    review.keyboard.press("2")
    review.keyboard.press("x")
    saved(review)
    assert decided(document) == {"Ada": "place accepted", "Oslo": "person rejected"}


def test_both_sides_are_shown_though_nothing_more_can_be_loaded(
    review: Page, document: Document
) -> None:
    mention = document.mentions.get(form="Ada")
    someone = factories.make_user()
    decisions.decide(document, someone, Decision(uuid.uuid4(), "accept", mention=mention.pk))
    review.route("**/*.js", lambda route: route.abort())
    review.keyboard.press("2")
    review.get_by_role("button", name="Use mine").click()
    saved(review)
    assert decided(document) == {"Ada": "place accepted"}


def test_guidelines_that_do_not_come_are_told(review: Page) -> None:
    review.context.set_offline(True)
    review.keyboard.press("g")
    expect(review.locator("#notice")).to_contain_text("No answer from the server")
    review.context.set_offline(False)
    review.keyboard.press("g")
    expect(review.locator("#guidelines")).to_be_visible()


def test_guidelines_without_session_are_told(review: Page) -> None:
    Session.objects.all().delete()
    review.keyboard.press("g")
    expect(review.locator("#notice")).to_contain_text("You are signed out")


# --- The browser's own ----------------------------------------------------------------------------
NO_STORAGE = """
function none() { throw new DOMException("", "SecurityError"); }
Object.defineProperty(window, "localStorage", { get: none });
"""
FULL = 'Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };'


@pytest.mark.parametrize("script", [NO_STORAGE, FULL])
def test_without_storage_all_is_saved(
    page: Page, live_server: LiveServer, document: Document, user: User, script: str
) -> None:
    page.add_init_script(script)
    sign_in(page, live_server, user)
    opened(page, live_server, document)
    page.keyboard.press("2")
    page.keyboard.press("x")
    expect(page.locator(".mention.needs")).to_have_count(0)
    expect(page.locator("#state")).to_have_text("Saved")
    assert decided(document) == {"Ada": "place accepted", "Oslo": "person rejected"}


def test_what_two_tabs_left_behind_is_sent_as_it_was_decided(
    review: Page, live_server: LiveServer, document: Document, other: Document
) -> None:
    second = opened(review.context.new_page(), live_server, other)
    review.context.set_offline(True)
    for page, keys in ((review, ("2", "x")), (second, ("3",))):
        for key in keys:
            page.keyboard.press(key)
        expect(page.locator("#state")).to_have_text(f"Offline, {len(keys)} kept")
    kill(review)
    kill(second)
    review.context.set_offline(False)
    later = review.context.new_page()
    later.goto(live_server.url + address_of(document))
    saved(later)
    made = Correction.objects.order_by("created_at").values_list("document", "action")
    first = [(document.pk, "relabel"), (document.pk, "reject")]
    assert list(made) == [*first, (other.pk, "relabel")]


def test_a_clock_that_is_set_back_changes_no_order(
    review: Page, live_server: LiveServer, document: Document
) -> None:
    review.context.set_offline(True)
    review.keyboard.press("2")
    review.evaluate("{ const now = Date.now() - 3_600_000; Date.now = () => now; }")
    review.keyboard.press("Control+z")
    expect(review.locator("#state")).to_have_text("Offline, 2 kept")
    kill(review)
    review.context.set_offline(False)
    later = review.context.new_page()
    later.goto(live_server.url + address_of(document))
    saved(later)
    assert [c.action for c in Correction.objects.all()] == ["relabel", "undo"]
    assert decided(document) == {}


def test_who_comes_back_late_is_told_that_somebody_else_has_the_document(
    page: Page, live_server: LiveServer, user: User, document: Document
) -> None:
    sign_in(page, live_server, user)
    page.clock.install()  # the lease is renewed every four minutes
    page.goto(live_server.url + address_of(document))
    with page.expect_response("**/lease/"):
        page.clock.run_for(241_000)
    expect(page.locator("#notice")).to_be_hidden()
    Lease.objects.all().delete()
    leases.claim(
        document.pk, factories.add_member(document.project, factories.make_user("bo")).user
    )
    page.clock.run_for(240_000)
    expect(page.locator("#notice")).to_have_text("bo has this document open too.")

"""The triage page in Chromium: the whole loop by keyboard alone, and what stays silent."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Locator, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotator import settling
from annotator.models import Mention, Project, User
from tests import factories

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def project(user: User) -> Project:
    project = factories.make_project("Harbour", annotator=user)
    factories.make_version(project)
    for surface, count in (("Oslo", 4), ("رأت ليلى", 3), ("Rome", 2)):
        for n in range(count):
            document = factories.make_document(project, f"We saw {surface} in year {n}.")
            mention = factories.make_doubt(document, surface, "person")
            mention.question = factories.make_question(document, surface, "place")
            mention.save()
    return project


@pytest.fixture
def triage(page: Page, live_server: LiveServer, project: Project, user: User) -> Page:
    """The triage page, signed in, with the first group in focus."""
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.goto(f"{live_server.url}/projects/{project.slug}/triage/")
    page.keyboard.press("j")
    expect(opener(page, "Oslo")).to_be_focused()
    return page


def opener(page: Page, form: str) -> Locator:
    return page.locator(".opener", has_text=form)


def decided() -> dict[str, str]:
    rows = Mention.objects.exclude(state="suggested").select_related("label", "document")
    return {mention.surface: f"{mention.label.name} {mention.state}" for mention in rows}


def test_the_whole_loop_by_keyboard(triage: Page) -> None:
    keys = triage.keyboard
    keys.press("l")
    button = triage.get_by_role("button", name="Make 4 place")
    expect(button).to_be_focused()
    assert decided() == {}
    keys.press("Enter")
    # The next group takes the place of the one that is settled, and the focus with it.
    expect(opener(triage, "رأت ليلى")).to_be_focused()
    assert decided() == {"Oslo": "place accepted"}
    keys.press("j")
    expect(opener(triage, "Rome")).to_be_focused()
    keys.press("x")
    expect(triage.get_by_role("button", name="Reject 2")).to_be_focused()
    keys.press("Enter")
    expect(triage.locator(".group")).to_have_count(1)
    assert decided() == {"Oslo": "place accepted", "Rome": "person rejected"}
    keys.press("Control+z")
    expect(triage.locator(".group")).to_have_count(2)
    keys.press("Control+z")
    expect(triage.locator(".group")).to_have_count(3)
    assert decided() == {}
    keys.press("Control+Shift+z")
    expect(triage.locator(".group")).to_have_count(2)
    assert decided() == {"Oslo": "place accepted"}


def test_escape_leaves_all_as_it_is(triage: Page) -> None:
    triage.keyboard.press("3")
    expect(triage.get_by_role("button", name="Make 4 group")).to_be_focused()
    triage.keyboard.press("Escape")
    expect(triage.locator(".preview form")).to_have_count(0)
    expect(opener(triage, "Oslo")).to_be_focused()
    assert decided() == {}


def test_some_are_checked_and_decided_by_keyboard(triage: Page) -> None:
    triage.keyboard.press("Enter")
    boxes = triage.get_by_role("checkbox")
    expect(boxes).to_have_count(4)
    for box in (boxes.nth(1), boxes.nth(2)):
        box.focus()
        triage.keyboard.press("Space")
        expect(box).to_be_checked()
    triage.keyboard.press("x")
    expect(triage.get_by_role("button", name="Reject 2")).to_be_focused()
    triage.keyboard.press("Enter")
    expect(boxes).to_have_count(2)
    assert Mention.objects.filter(state="rejected").count() == 2
    assert Mention.objects.filter(state="suggested", form="Oslo").count() == 2


def test_sentences_are_decided_one_by_one_by_keyboard(triage: Page) -> None:
    boxes = triage.get_by_role("checkbox")
    triage.keyboard.press("Enter")
    expect(boxes).to_have_count(4)
    expect(opener(triage, "Oslo")).to_be_focused()
    for key in "jj2":
        triage.keyboard.press(key)
    expect(boxes).to_have_count(3)
    # The sentence that takes its place.
    expect(boxes.nth(1)).to_be_focused()
    triage.keyboard.press("x")
    expect(boxes).to_have_count(2)
    rows = Mention.objects.filter(form="Oslo").order_by("pk").values_list("state", flat=True)
    assert list(rows) == ["suggested", "accepted", "rejected", "suggested"]


def test_one_is_decided_by_the_button_beside_it(triage: Page) -> None:
    triage.keyboard.press("Enter")
    triage.get_by_role("button", name="Accept this one as person").first.click()
    expect(triage.get_by_role("checkbox")).to_have_count(3)
    assert decided() == {"Oslo": "person accepted"}
    expect(triage.locator("#act")).to_contain_text("1 mention in 1 document was accepted")


@pytest.mark.parametrize(
    ("status", "said"), [(0, "No answer"), (403, "said 403"), (500, "said 500")]
)
def test_a_decision_that_does_not_arrive_is_told(triage: Page, status: int, said: str) -> None:
    def fail(route: Route) -> None:
        if status:
            route.fulfill(status=status, body="")
        else:
            route.abort()

    triage.route("**/preview/*", fail, times=1)
    triage.keyboard.press("a")
    expect(triage.get_by_role("alert")).to_contain_text(said)
    triage.keyboard.press("a")
    expect(triage.locator(".preview form")).to_be_visible()
    expect(triage.get_by_role("alert")).to_be_hidden()
    assert decided() == {}


def test_keys_are_silent_while_typing(triage: Page) -> None:
    triage.keyboard.press("/")
    expect(triage.locator("#words")).to_be_focused()
    triage.keyboard.type("xal1")
    expect(triage.locator("#words")).to_have_value("xal1")
    expect(triage.get_by_text("No group fits.")).to_be_visible()
    assert decided() == {}


def test_what_is_refused_is_told_in_the_group(
    triage: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = triage.locator(".group", has_text="Oslo").get_by_role("alert")
    triage.keyboard.press("x")
    button = triage.get_by_role("button", name="Reject 4")
    expect(button).to_be_focused()
    monkeypatch.setattr(settling, "MOST", 1)
    button.click()
    expect(alert).to_contain_text("At most 1 mentions in one act")
    expect(triage.locator(".group")).to_have_count(3)
    triage.locator(".opener", has_text="Oslo").focus()
    triage.keyboard.press("a")
    expect(triage.get_by_role("button", name="Accept 4")).to_have_count(0)
    expect(alert).to_contain_text("At most 1 mentions in one act")
    assert decided() == {}

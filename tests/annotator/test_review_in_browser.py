"""The review page in Chromium: mouse, keys, exact offsets, and what is said when saving fails."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import Document, Mention, User
from tests import factories

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

TEXT = "👩‍🚀 Ada met 🏳️‍🌈 Bo\r\nin Oslo.\r\nرأت ليلى القمر، then 東京 slept."


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def document(user: User) -> Document:
    project = factories.make_project("Letters", annotator=user)
    factories.make_version(project)
    document = factories.make_document(project, TEXT)
    for surface in ("Ada", "Oslo"):
        factories.make_doubt(document, surface, "person")
    return document


@pytest.fixture
def review(page: Page, live_server: LiveServer, document: Document, user: User) -> Page:
    """The review page of `document`, signed in."""
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.goto(live_server.url + address_of(document))
    expect(page.locator(".mention.needs.last")).to_have_count(2)
    return page


def address_of(document: Document) -> str:
    return f"/projects/{document.project.slug}/documents/{document.pk}/"


def decided(document: Document) -> dict[str, str]:
    rows = Mention.objects.filter(document=document).exclude(state="suggested")
    return {m.surface: f"{m.label.name} {m.state}" for m in rows.select_related("label")}


def saved(page: Page) -> None:
    expect(page.locator("#state")).to_have_text("Saved")


def test_keys_accept_relabel_and_reject(review: Page, document: Document) -> None:
    review.keyboard.press("2")
    expect(review.locator(".mention.needs.last")).to_have_count(1)
    review.keyboard.press("x")
    expect(review.locator(".mention.needs.last")).to_have_count(0)
    saved(review)
    assert decided(document) == {"Ada": "place accepted", "Oslo": "person rejected"}
    review.keyboard.press("Control+Enter")
    review.wait_for_url("**/review/")
    document.refresh_from_db()
    assert document.status == "gold"


@pytest.mark.parametrize("word", ["Bo", "ليلى", "slept"])
def test_a_double_click_adds_a_mention_at_exact_code_points(
    review: Page, document: Document, word: str
) -> None:
    box = review.evaluate(BOX_OF, word)
    review.mouse.dblclick(box["x"], box["y"])
    menu = review.get_by_role("dialog", name="Label the selected words")
    expect(menu).to_contain_text(word)
    menu.get_by_role("button", name="place").click()
    expect(review.locator(".mention.accepted.last")).to_have_count(1)
    saved(review)
    (mention,) = Mention.objects.filter(document=document, state="accepted")
    assert (mention.start, mention.end) == (TEXT.index(word), TEXT.index(word) + len(word))
    assert mention.surface == word


def test_keys_are_silent_with_the_help_open(review: Page, document: Document) -> None:
    review.keyboard.press("?")
    expect(review.get_by_role("dialog", name="Keys")).to_be_visible()
    review.keyboard.press("x")
    review.keyboard.press("Escape")
    assert decided(document) == {}


def test_what_cannot_be_saved_is_said_and_sent_again(review: Page, document: Document) -> None:
    review.context.set_offline(True)
    review.keyboard.press("a")
    expect(review.locator("#state")).to_contain_text("Not saved")
    assert decided(document) == {}
    review.context.set_offline(False)
    review.locator("#state").click()
    saved(review)
    assert decided(document) == {"Ada": "person accepted"}


def test_a_stale_page_is_told_and_shows_the_newer_state(review: Page, document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(version=7)
    review.keyboard.press("a")
    expect(review.locator("#notice")).to_contain_text("changed")
    assert decided(document) == {}
    review.keyboard.press("a")
    saved(review)
    assert decided(document) == {"Ada": "person accepted"}


def test_markup_in_a_document_is_text(
    review: Page, live_server: LiveServer, document: Document
) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    other = factories.make_document(document.project, hostile)
    review.goto(live_server.url + address_of(other))
    expect(review.locator("#text")).to_have_text(hostile)
    assert review.title() != "1"


BOX_OF = """word => {
  const walker = document.createTreeWalker(document.getElementById("text"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const at = node.data.indexOf(word);
    if (at < 0) continue;
    const range = new Range();
    range.setStart(node, at);
    range.setEnd(node, at + word.length);
    const box = range.getBoundingClientRect();
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }
}"""

"""Long documents on the review page: what a key has the browser do does not grow with the text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import Document, Mention
from tests import factories

STATIC = Path(__file__).parents[2] / "static"
LINES = 400
NAMED = (3, 4, 390)
# What the browser skips while it is out of sight; the marks that are made anew by a key.
SKIPPED = """() => [...document.querySelectorAll("#text > *")].map(
  (block) => !block.firstElementChild.checkVisibility({ contentVisibilityAuto: true }))"""
WATCH = """() => {
  window.seen = { focused: 0, lines: new Set() };
  document.addEventListener("focusin", () => (window.seen.focused += 1));
  const watch = new MutationObserver((changes) => {
    for (const { target } of changes) window.seen.lines.add(target.closest(".line"));
  });
  watch.observe(document.getElementById("text"), { childList: true, subtree: true });
}"""
SEEN = "() => ({ focused: window.seen.focused, lines: window.seen.lines.size })"
SELECT = """([from, to]) => {
  const lines = document.querySelectorAll(".line");
  const range = document.createRange();
  range.setStart(lines[from].parentElement, 0);
  range.setEnd(lines[to].firstChild, 4);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""

browser = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def document() -> Document:
    user = factories.make_user()
    project = factories.make_project("Letters", annotator=user)
    factories.make_version(project)
    lines = (f"Name{n} wrote a line that is long enough to fill one." for n in range(LINES))
    document = factories.make_document(project, "\n".join(lines))
    for n in NAMED:
        factories.make_doubt(document, f"Name{n}", "person")
    return document


@pytest.fixture
def review(page: Page, live_server: LiveServer, document: Document) -> Page:
    client = Client()
    client.force_login(document.project.memberships.get().user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.goto(f"{live_server.url}/projects/{document.project.slug}/documents/{document.pk}/")
    expect(page.locator(".mention.needs")).to_have_count(len(NAMED))
    return page


class TestInTheBrowser:
    pytestmark = browser

    def test_lines_out_of_sight_are_skipped_together(self, review: Page) -> None:
        skipped: list[bool] = review.evaluate(SKIPPED)
        assert not skipped[0]
        assert all(skipped[len(skipped) // 2 :])
        assert len(skipped) < LINES / 10

    def test_a_key_draws_two_lines_and_moves_the_focus_once(self, review: Page) -> None:
        review.keyboard.press("j")
        expect(review.locator(".mention.focus")).to_contain_text("Name4")
        review.evaluate(WATCH)
        review.keyboard.press("k")
        expect(review.locator(".mention.focus")).to_contain_text("Name3")
        assert review.evaluate(SEEN) == {"focused": 1, "lines": 2}

    def test_a_key_leads_to_what_was_out_of_sight(self, review: Page) -> None:
        review.keyboard.press("k")
        focused = review.locator(".mention.focus > .tag")
        expect(focused).to_be_focused()
        expect(focused).to_be_in_viewport()
        expect(review.locator(".mention.focus")).to_contain_text("Name390")

    def test_words_are_selected_across_blocks(self, review: Page, document: Document) -> None:
        review.evaluate(SELECT, [0, 100])
        menu = review.get_by_role("dialog", name="Label the selected words")
        menu.get_by_role("button", name="place").click()
        expect(review.locator(".mention.accepted")).not_to_have_count(0)
        expect(review.locator("#state")).to_have_text("Saved")
        added = Mention.objects.get(document=document, state="accepted")
        end = document.text.index("Name100") + len("Name100")
        assert (added.start, added.end) == (0, end)


def test_no_rule_of_style_has_the_whole_page_looked_through() -> None:
    """At each change `:has()` on the root or the body looks through all that is in it."""
    rules = re.findall(r"([^{};]*:has\([^{}]*)\{", (STATIC / "app.css").read_text())
    assert rules
    for rule in rules:
        assert not re.search(r"(^|[\s,(])(html|body|:root)[^\s,]*:has", rule), rule

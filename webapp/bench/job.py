"""The five-step job, as a person does it: of seven suggested mentions leave five, relabel one,
delete one, add one, and go on."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page

from webapp.bench.client import Annotator

# Where the words stand on the screen: [left, right, middle height].
PLACE_OF = """(words) => {
  const texts = document.createTreeWalker(document.getElementById("text"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const at = texts.currentNode.data.indexOf(words);
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(texts.currentNode, at);
    range.setEnd(texts.currentNode, at + words.length);
    const { left, right, top, bottom } = range.getBoundingClientRect();
    return [left, right, (top + bottom) / 2];
  }
}"""
DONE = {
    "Ada Lovelace": "person",
    "Charles Babbage": "person",
    "London": "location",
    "Mary Somerville": "person",
    "Edinburgh": "location",
    "Royal Society": "group",
    "Cambridge": "location",
}
"""The accepted mentions that the job ends with."""


class Hand:
    """A mouse and a keyboard that count: a press, a click, a drag are a gesture each."""

    def __init__(self, page: Page) -> None:
        self.page, self.gestures = page, 0

    def press(self, keys: str) -> None:
        self.gestures += 1
        self.page.keyboard.press(keys)

    def click(self, place: Locator) -> None:
        self.gestures += 1
        place.click()

    def drag_over(self, words: str) -> None:
        self.gestures += 1
        left, right, height = self.page.evaluate(PLACE_OF, words)
        self.page.mouse.move(left + 1, height)
        self.page.mouse.down()
        self.page.mouse.move((left + right) / 2, height)
        self.page.mouse.move(right - 1, height)
        self.page.mouse.up()


def gestures(page: Page, address: str) -> int:
    """Does the job on the page at `address`; how many gestures it took."""
    page.goto(address)
    hand = Hand(page)
    mark = page.locator(".mention")
    hand.click(mark.filter(has_text="Mary Somerville"))
    hand.press("1")
    wrong = mark.filter(has_text="taught")
    wrong.hover()
    hand.click(wrong.locator(".drop button"))
    hand.drag_over("Cambridge")
    page.get_by_role("dialog", name="Label the selected words").wait_for()
    hand.press("2")
    with page.expect_navigation(url=lambda url: not url.split("?")[0].endswith(address)):
        hand.press("Control+Enter")
    return hand.gestures


def is_done(annotator: Annotator, project: str, document: int) -> bool:
    """Whether the API says that the job is done: gold, with the mentions that there should be."""
    said = annotator.get(f"/api/v1/projects/{project}/documents/{document}/")
    return bool(said["status"] == "gold") and _accepted(said) == DONE


def _accepted(document: dict[str, Any]) -> dict[str, str]:
    rows = document["mentions"]
    return {row["surface"]: row["label"] for row in rows if row["state"] == "accepted"}

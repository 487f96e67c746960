"""What the review page draws of a text and its mentions, however they nest, cross and break."""

from __future__ import annotations

import random
from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PIECES = [*"ab c", "\n", "\r\n", "\r", "😀", "👨‍👩‍👧", "é", "ש", "東"]
DRAW = """async ({ source, cases }) => {
  const { TextView } = await import(source);
  const root = document.createElement("div");
  document.body.append(root);
  const mark = (mention) => Object.assign(document.createElement("span"), { mention });
  const tag = () => [Object.assign(document.createElement("b"), { className: "tag" })];
  const view = new TextView(root, mark, tag);
  return cases.map(({ text, spans }) => {
    const mentions = spans.map(([start, end], id) => ({ start, end, id }));
    view.open(text);
    view.show(mentions, ({ id }) => String(id));
    view.reach(0, Infinity);
    const covered = mentions.map(() => "");
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (let up = node.parentElement; up !== root; up = up.parentElement) {
        if (up.mention) covered[up.mention.id] += node.data;
      }
    }
    const owners = [...root.querySelectorAll(".tag")].map((each) => each.parentElement.mention.id);
    const tags = mentions.map(({ id }) => owners.filter((owner) => owner === id).length);
    const ranges = spans.map(([start, end]) => {
      getSelection().removeAllRanges();
      getSelection().addRange(view.rangeOf(start, end));
      return view.selectedSpan();
    });
    return { lines: [...root.children].map((line) => line.textContent), covered, tags, ranges };
  });
}"""


def cases(number: int) -> list[dict[str, Any]]:
    """Texts with spans that begin and end in something to see, in the order of the sheet."""
    chance = random.Random(3)
    made = []
    while len(made) < number:
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 30)))
        spans = set()
        for _ in range(chance.randint(0, 6)):
            start = chance.randrange(len(text))
            end = chance.randint(start + 1, len(text))
            if text[start:end] == text[start:end].strip():
                spans.add((start, end))
        made.append({"text": text, "spans": sorted(spans, key=lambda s: (s[0], -s[1]))})
    return made


def without_breaks(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


@pytest.fixture
def drawn(page: Page, live_server: LiveServer) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    page.goto(f"{live_server.url}/sign-in/")
    asked = cases(400)
    source = f"{live_server.url}/static/text.js"
    return list(zip(asked, page.evaluate(DRAW, {"source": source, "cases": asked}), strict=True))


def test_every_character_stands_there_and_every_mention_covers_its_own(
    drawn: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    for asked, seen in drawn:
        text = asked["text"]
        assert "".join(seen["lines"]) == without_breaks(text)
        assert seen["covered"] == [without_breaks(text[a:b]) for a, b in asked["spans"]]
        assert seen["tags"] == [1] * len(asked["spans"])


def test_what_is_selected_on_the_page_is_the_span_grown_to_words(
    drawn: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    checked = 0
    for asked, seen in drawn:
        for (start, end), span in zip(asked["spans"], seen["ranges"], strict=True):
            assert span["start"] <= start < end <= span["end"]
            grown = asked["text"][span["start"] : start] + asked["text"][end : span["end"]]
            assert all(character.isalnum() for character in grown)
            checked += 1
    assert checked > 400

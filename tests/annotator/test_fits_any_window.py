"""Whatever the window, the zoom and the colours, nothing is lost, covered or too faint to read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from annotator.models import Project
from tests.annotator import filled

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("llm_server"),
]

# axe-core cannot judge words on a fill that covers part of them; part of it is no worse than all.
CONTRASTS = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const parts = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((p) => (p <= 0.04045 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (let n = 0; n < 12; n += 1) {
    const probe = document.createElement("i");
    probe.className = `label-${n}`;
    probe.style.forcedColorAdjust = "none";
    document.body.append(probe);
    const look = (name) => {
      probe.style.color = `var(--${name})`;
      return light(getComputedStyle(probe).color);
    };
    for (const [words, below] of [
      ["ink", "label-wash"], ["label-ink", "label-wash"], ["label-ink", "sheet"],
      ["label-on", "label-ink"],
    ]) {
      const [dark, bright] = [look(words), look(below)].sort((a, b) => a - b);
      found[`${words} on ${below} of label ${n}`] = (bright + 0.05) / (dark + 0.05);
    }
    probe.remove();
  }
  return found;
}"""


# Fields and buttons of `main` that lie on each other.
OVERLAPPING = """() => {
  const all = [...document.querySelectorAll("main :is(input, select, textarea, button, .button)")];
  const seen = all.filter((each) => each.checkVisibility() && !each.closest(".panel, .drop"));
  const boxes = seen.map((each) => each.getBoundingClientRect());
  const crosses = (a, b) =>
    a.right > b.left + 1 && b.right > a.left + 1 && a.bottom > b.top + 1 && b.bottom > a.top + 1;
  return boxes.flatMap((box, n) =>
    boxes.slice(n + 1).flatMap((other, m) =>
      crosses(box, other) ? [seen[n].outerHTML, seen[n + 1 + m].outerHTML] : []));
}"""


@pytest.mark.parametrize("look", filled.LOOKS)
def test_words_on_the_colour_of_any_label_can_be_read(review: Page, look: str) -> None:
    review.emulate_media(**filled.LOOKS[look])
    found = review.evaluate(CONTRASTS)
    assert len(found) == 48
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize(
    ("width", "height"), [(320, 256), (320, 640), (390, 844), (720, 450), (768, 1024)]
)
def test_no_page_is_wider_than_its_window(
    open_page: Callable[[str], Page], letters: Project, width: int, height: int
) -> None:
    document = f"documents/{filled.letter(letters).pk}/"
    parts = ["", "progress/", "documents/", "mentions/", "triage/", "upload/", "model/", "prompt/"]
    parts += ["ledger/", document]
    paths = ["/", "/account/", "/prices/", "/projects/new/"]
    paths += [f"/projects/letters/{part}" for part in parts]
    for path in paths:
        page = open_page(path)
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(OVERLAPPING) == [], path


@pytest.mark.parametrize(("width", "height"), [(320, 256), (390, 844), (720, 450), (1280, 720)])
def test_the_mention_in_focus_is_never_behind_the_panel(
    review: Page, width: int, height: int
) -> None:
    review.set_viewport_size({"width": width, "height": height})
    for _ in range(5):
        review.keyboard.press("j")
        covered = review.evaluate(
            """() => {
              const [box] = document.querySelector(".mention.focus > .tag").getClientRects();
              const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
              return !at?.closest(".mention.focus");
            }"""
        )
        assert not covered


def test_search_and_order_of_a_short_document_are_seen_without_scrolling(review: Page) -> None:
    review.set_viewport_size({"width": 1440, "height": 900})
    for name in ("#order", "#q", ".queue button"):
        expect(review.locator(name)).to_be_in_viewport(ratio=1)


def test_where_there_are_no_keys_words_say_what_the_arrows_move(
    review: Page, browser: Browser
) -> None:
    sides = review.locator(".bounds .side")
    assert not any(each.is_visible() for each in sides.all())
    phone = browser.new_context(
        has_touch=True,
        is_mobile=True,
        viewport={"width": 390, "height": 844},
        storage_state=review.context.storage_state(),
    )
    try:
        page = phone.new_page()
        page.goto(review.url)
        expect(page.locator(".bounds")).to_contain_text("start")
        assert all(each.is_visible() for each in page.locator(".bounds .side").all())
    finally:
        phone.close()

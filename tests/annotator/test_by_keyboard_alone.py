"""The whole loop by keyboard alone, and that the focus can be seen wherever Tab leads."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import Comment, Document, Mention, User
from tests import factories

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

TEXT = "Ada met Bo in Oslo.\nThen Cai slept, and Dee sang."
# Nothing where the focus is seen: on something in view that nothing covers, with an outline.
UNSEEN = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return "nothing has the focus";
  const told = element.outerHTML.slice(0, 120);
  const [box] = element.getClientRects();
  if (!box || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) {
    return `hidden: ${told}`;
  }
  const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  if (!at || !(element.contains(at) || at.contains(element))) return `covered: ${told}`;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return outlineStyle === "none" || parseFloat(outlineWidth) < 2 ? `no outline: ${told}` : "";
}"""
NAME = """() => {
  const { activeElement: element } = document;
  return (element.ariaLabel ?? element.labels?.[0]?.textContent ?? element.textContent).trim();
}"""


@pytest.fixture
def user() -> User:
    return factories.make_user("mei")


@pytest.fixture
def document(user: User) -> Document:
    project = factories.make_project("Letters", annotator=user)
    factories.make_version(project)
    document = factories.make_document(project, TEXT)
    for surface in ("Ada", "Bo", "Oslo"):
        factories.make_doubt(document, surface, "person")
    return document


def tab(page: Page, keys: str = "Tab") -> str:
    """The name of what Tab leads to, once it is seen to have the focus."""
    page.keyboard.press(keys)
    assert page.evaluate(UNSEEN) == ""
    name: str = page.evaluate(NAME)
    return name


def tab_to(page: Page, name: str) -> None:
    seen = []
    for _ in range(60):
        seen.append(tab(page))
        if seen[-1].startswith(name):
            return
    pytest.fail(f"Tab never led to {name}, but to {seen}")


def sign_in(page: Page, live_server: LiveServer) -> None:
    """And on to the document that needs people most."""
    page.emulate_media(reduced_motion="reduce")
    page.goto(live_server.url)
    assert page.evaluate(NAME) == "Username"
    page.keyboard.type("mei")
    assert tab(page) == "Password"
    page.keyboard.type(factories.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live_server.url}/")
    tab_to(page, "Letters")
    page.keyboard.press("Enter")
    page.wait_for_url("**/projects/letters/")
    tab_to(page, "Review")
    page.keyboard.press("Enter")
    expect(page.locator(".mention.needs")).to_have_count(3)


def decided(document: Document) -> dict[str, str]:
    rows = Mention.objects.filter(document=document).exclude(state="suggested")
    return {m.surface: f"{m.label.name} {m.state}" for m in rows.select_related("label")}


def test_from_signing_in_to_submitting(
    page: Page, live_server: LiveServer, document: Document
) -> None:
    sign_in(page, live_server)
    page.keyboard.press("c")
    page.keyboard.type("Which Ada?")
    assert tab(page) == "Save"
    page.keyboard.press("Enter")
    expect(page.locator("#comments")).to_contain_text("Which Ada?")
    page.keyboard.press("a")
    page.keyboard.press("x")
    page.keyboard.press("2")
    expect(page.locator(".mention.needs")).to_have_count(0)
    for key in ("n", *["ArrowRight"] * 6, "Enter"):
        page.keyboard.press(key)
    assert page.evaluate(UNSEEN) == ""
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#panel .surface q")).to_have_text("Cai slept")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing left that needs you")
    assert decided(document) == {
        "Ada": "person accepted",
        "Bo": "person rejected",
        "Oslo": "place accepted",
        "Cai slept": "person accepted",
    }
    document.refresh_from_db()
    assert document.status == "gold"
    assert Comment.objects.get().text == "Which Ada?"


def test_triage_from_the_review_page(
    page: Page, live_server: LiveServer, document: Document
) -> None:
    for n in range(2):
        other = factories.make_document(document.project, f"We saw Rome in year {n}.")
        factories.make_doubt(other, "Rome", "person", 0.5)
    sign_in(page, live_server)
    tab_to(page, "Triage")
    page.keyboard.press("Enter")
    page.wait_for_url("**/triage/")
    tab_to(page, "Rome")
    page.keyboard.press("Enter")
    expect(page.locator(".sentences")).to_be_visible()
    tab_to(page, "place")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Make 2 place")).to_be_focused()
    assert page.evaluate(UNSEEN) == ""
    page.keyboard.press("Enter")
    expect(page.locator("#act")).to_contain_text("2 mentions in 2 documents")
    rome = Mention.objects.filter(state="accepted").select_related("label")
    assert [(mention.surface, mention.label.name) for mention in rome] == [("Rome", "place")] * 2


def test_without_single_keys(
    page: Page, live_server: LiveServer, document: Document, user: User
) -> None:
    user.single_keys = False
    user.save()
    sign_in(page, live_server)
    page.keyboard.press("a")
    tab_to(page, "Bo, person")
    page.keyboard.press("Enter")
    tab_to(page, "Reject")
    page.keyboard.press("Enter")
    expect(page.locator(".mention.rejected")).to_contain_text("Bo")
    assert page.evaluate(NAME).startswith("Oslo, person")
    tab_to(page, "place")
    page.keyboard.press("Space")
    expect(page.locator(".mention.accepted")).to_contain_text("Oslo")
    tab_to(page, "End one word later")
    page.keyboard.press("Enter")
    expect(page.locator("#panel .surface q")).to_have_text("Ada met")
    expect(page.locator("#state")).to_have_text("Saved")
    page.reload()
    tab_to(page, "Add a mention")
    for key in ("Enter", *["ArrowRight"] * 6, "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    tab_to(page, "group")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Saved")
    assert decided(document) == {
        "Ada met": "person accepted",
        "Bo": "person rejected",
        "Oslo": "place accepted",
        "Cai slept": "group accepted",
    }


def test_tab_goes_through_the_page_as_it_is_read(
    page: Page, live_server: LiveServer, document: Document
) -> None:
    sign_in(page, live_server)
    page.evaluate("document.activeElement.blur()")
    page.reload()
    stops = [tab(page)]
    while stops[-1] != "All documents":
        stops.append(tab(page))
    landmarks = [
        *("Skip to the content", "Spanlight: all projects", "Letters", "mei", "Sign out"),
        *("Overview", "Review", "Add a mention", "Flag this document", "Guidelines"),
        "Ada, person, suggested by local model, uncertainty .60, needs you",
        "Bo, person, suggested by local model, uncertainty .60, needs you",
        "Oslo, person, suggested by local model, uncertainty .60, needs you",
        *("Skip s", "Submit and next Ctrl ↵", "Accept a", "Reject x", "person1", "place2"),
        *("Start one word earlier", "End one word later", "Next comes", "Go", "All documents"),
    ]
    assert [stop for stop in stops if stop in landmarks] == landmarks
    stops = [tab(page, "Shift+Tab") for _ in stops[1:]]
    assert [stop for stop in stops if stop in landmarks] == landmarks[-2::-1]


def test_whoever_comes_to_a_mention_by_tab_decides_about_it(
    page: Page, live_server: LiveServer, document: Document
) -> None:
    sign_in(page, live_server)
    tab_to(page, "Oslo, person")
    expect(page.locator("#panel .surface q")).to_have_text("Ada")
    page.keyboard.press("a")
    expect(page.locator("#state")).to_have_text("Saved")
    assert decided(document) == {"Oslo": "person accepted"}


def test_the_focus_comes_back_from_the_labels_and_from_dialogs(
    page: Page, live_server: LiveServer, document: Document
) -> None:
    sign_in(page, live_server)
    tab_to(page, "Bo, person")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    assert page.evaluate(NAME) == "person1"
    page.keyboard.press("Escape")
    assert page.evaluate(NAME).startswith("Bo, person")
    for opener, dialog in (("?", "Keys"), ("c", "About “Bo”"), ("g", "Guidelines")):
        page.keyboard.press(opener)
        expect(page.get_by_role("dialog", name=dialog)).to_be_visible()
        page.keyboard.press("Escape")
        assert page.evaluate(NAME).startswith("Bo, person")

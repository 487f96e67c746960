"""The review page in Chromium: keys, mouse, undo, exact offsets, and that nothing is lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotator import review as decisions
from annotator.decisions import Decision
from annotator.models import Comment, Correction, Document, Mention, User
from tests import factories
from tests.ops.processes import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

TEXT = "👩‍🚀 Ada met 🏳️‍🌈 Bo\r\nin Oslo.\r\nرأت ليلى القمر، then 東京 slept, and Oslo too."


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
    sign_in(page, live_server, user)
    page.goto(live_server.url + address_of(document))
    expect(page.locator(".mention.needs")).to_have_count(2)
    return page


@pytest.fixture
def act(document: Document) -> Callable[[str, str], None]:
    """Somebody else decides about the mention with these words."""
    other = factories.make_user()

    def decide(surface: str, action: str) -> None:
        mention = next(m for m in document.mentions.all() if m.surface == surface)
        decisions.decide(document, other, Decision(uuid.uuid4(), action, mention=mention.pk))

    return decide


def sign_in(page: Page, live_server: LiveServer, user: User) -> None:
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])


def address_of(document: Document) -> str:
    return f"/projects/{document.project.slug}/documents/{document.pk}/"


def decided(document: Document) -> dict[str, str]:
    rows = Mention.objects.filter(document=document).exclude(state="suggested")
    return {m.surface: f"{m.label.name} {m.state}" for m in rows.select_related("label")}


def saved(page: Page) -> None:
    """All that was decided, in this tab or by one before it, has reached the server."""
    wait_until(lambda: not page.evaluate("localStorage.length"), "the outbox to be empty", 30)
    expect(page.locator("#state")).to_have_text("Saved")


# --- Keys -----------------------------------------------------------------------------------------
def test_keys_accept_relabel_and_reject(review: Page, document: Document) -> None:
    review.keyboard.press("2")
    expect(review.locator(".mention.needs")).to_have_count(1)
    review.keyboard.press("x")
    expect(review.locator(".mention.needs")).to_have_count(0)
    saved(review)
    assert decided(document) == {"Ada": "place accepted", "Oslo": "person rejected"}
    review.keyboard.press("Control+Enter")
    review.wait_for_url("**/review/*")
    document.refresh_from_db()
    assert document.status == "gold"


def test_brackets_and_arrows_move_boundaries_by_word_and_by_character(
    review: Page, document: Document
) -> None:
    surface = review.locator("#panel .surface q")
    for key, words in [
        ("]", "Ada met"),
        ("Shift+ArrowLeft", "Ada"),
        ("Alt+]", "Ada m"),
        ("Alt+Shift+ArrowLeft", "Ada"),
        ("Alt+[", "👩‍🚀 Ada"),
    ]:
        review.keyboard.press(key)
        expect(surface).to_have_text(words)
    saved(review)
    (mention,) = Mention.objects.filter(document=document, state="accepted")
    assert (mention.start, mention.end) == (0, TEXT.index("Ada") + 3)


def test_undo_and_redo_go_all_the_way(review: Page, document: Document) -> None:
    before = list(Mention.objects.filter(document=document).order_by("pk").values())
    for key in ("2", "x", "k", "]"):
        review.keyboard.press(key)
    saved(review)
    after = list(Mention.objects.filter(document=document).order_by("pk").values())
    for _ in range(3):
        review.keyboard.press("Control+z")
    expect(review.locator("#undo")).to_be_disabled()
    saved(review)
    assert list(Mention.objects.filter(document=document).order_by("pk").values()) == before
    for _ in range(3):
        review.keyboard.press("Control+Shift+z")
    expect(review.locator("#redo")).to_be_disabled()
    saved(review)
    assert list(Mention.objects.filter(document=document).order_by("pk").values()) == after


def test_one_key_labels_every_occurrence_and_one_undo_takes_them_back(
    review: Page, document: Document
) -> None:
    review.keyboard.press("j")
    review.keyboard.press("o")
    expect(review.locator(".mention.accepted")).to_have_count(2)
    saved(review)
    accepted = Mention.objects.filter(document=document, state="accepted")
    assert [(m.surface, m.label.name) for m in accepted] == [("Oslo", "person")] * 2
    review.keyboard.press("Control+z")
    expect(review.locator(".mention.accepted")).to_have_count(0)
    saved(review)
    assert decided(document) == {}


def test_submitting_is_taken_back_from_the_next_document(
    review: Page, document: Document, live_server: LiveServer
) -> None:
    other = factories.make_document(document.project, "Bo slept.")
    factories.make_doubt(other, "Bo", "person")
    review.keyboard.press("Control+Enter")
    review.wait_for_url(live_server.url + address_of(other) + "*")
    review.keyboard.press("Control+z")
    review.wait_for_url(live_server.url + address_of(document) + "*")
    expect(review.locator(".mention.needs")).to_have_count(2)
    document.refresh_from_db()
    assert document.status == "tagged"


def test_keys_are_silent_with_the_help_open_and_while_typing(
    review: Page, document: Document
) -> None:
    review.keyboard.press("?")
    expect(review.get_by_role("dialog", name="Keys")).to_be_visible()
    review.keyboard.press("x")
    review.keyboard.press("Escape")
    review.keyboard.press("/")
    review.keyboard.type("ax1")
    expect(review.locator("#q")).to_have_value("ax1")
    assert decided(document) == {}


def test_keys_follow_the_person(
    page: Page, live_server: LiveServer, document: Document, user: User
) -> None:
    user.keys = {"accept": ["y"]}
    user.save()
    sign_in(page, live_server, user)
    page.goto(live_server.url + address_of(document))
    page.keyboard.press("a")
    page.keyboard.press("y")
    expect(page.locator(".mention.accepted")).to_have_count(1)
    user.single_keys = False
    user.save()
    page.reload()
    for key in ("y", "1", "x"):
        page.keyboard.press(key)
    page.keyboard.press("Control+z")
    expect(page.locator(".mention.accepted")).to_have_count(0)


# --- Mouse ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("word", ["Bo", "ليلى", "slept"])
def test_a_double_click_adds_a_mention_at_exact_code_points(
    review: Page, document: Document, word: str
) -> None:
    box = review.evaluate(BOX_OF, word)
    review.mouse.dblclick(box["x"], box["y"])
    menu = review.get_by_role("dialog", name="Label the selected words")
    expect(menu).to_contain_text(word)
    menu.get_by_role("button", name="place").click()
    expect(review.locator(".mention.accepted")).to_have_count(1)
    saved(review)
    (mention,) = Mention.objects.filter(document=document, state="accepted")
    assert (mention.start, mention.end) == (TEXT.index(word), TEXT.index(word) + len(word))
    assert mention.surface == word


def test_a_press_on_the_cross_behind_a_mention_rejects_it(review: Page, document: Document) -> None:
    mark = review.locator(".mention", has_text="Oslo").first
    mark.hover()
    mark.locator(".drop button").click()
    expect(review.locator(".mention.rejected")).to_have_count(1)
    saved(review)
    assert decided(document) == {"Oslo": "person rejected"}


def test_what_is_behind_a_mention_is_told(review: Page) -> None:
    expect(review.locator("#why")).to_contain_text("Local model")


def test_a_comment_and_a_flag_reach_the_project(review: Page, document: Document) -> None:
    review.keyboard.press("c")
    review.keyboard.type("Which Ada is this?")
    review.get_by_role("button", name="Save").click()
    expect(review.locator("#comments")).to_contain_text("Which Ada is this?")
    comment = Comment.objects.get()
    assert (comment.start, comment.end) == (TEXT.index("Ada"), TEXT.index("Ada") + 3)
    review.keyboard.press("f")
    expect(review.locator("#flag")).to_have_attribute("aria-pressed", "true")
    document.refresh_from_db()
    assert document.flagged_by is not None


def test_a_flag_is_for_the_document_on_which_it_was_pressed(
    review: Page, document: Document
) -> None:
    other = factories.make_document(document.project, "Eve slept.")
    factories.make_doubt(other, "Eve", "person")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    review.route("**/flag/", hold)
    review.keyboard.press("f")
    wait_until(lambda: review.evaluate("true") and len(held) == 1, "the flag to be sent")
    review.keyboard.press("s")
    expect(review.locator("#text")).to_contain_text("Eve")
    held[0].continue_()
    expect(review.locator("#said")).to_have_text("Flagged.")
    expect(review.locator("#flag")).to_have_attribute("aria-pressed", "false")


def test_a_first_visit_makes_few_requests(
    page: Page, live_server: LiveServer, document: Document, user: User
) -> None:
    sign_in(page, live_server, user)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(live_server.url + address_of(document))
    expect(page.locator(".mention.needs")).to_have_count(2)
    page.wait_for_load_state("networkidle")
    assert len(asked) <= 8, asked  # with the icon


# --- Nothing lost ---------------------------------------------------------------------------------
def test_what_is_decided_offline_is_kept_and_sent_in_order(
    review: Page, document: Document
) -> None:
    review.context.set_offline(True)
    for key in ("2", "x", "Control+z"):
        review.keyboard.press(key)
    expect(review.locator("#state")).to_have_text("Offline, 3 kept")
    assert decided(document) == {}
    review.context.set_offline(False)
    saved(review)
    assert decided(document) == {"Ada": "place accepted"}
    assert [c.action for c in Correction.objects.all()] == ["relabel", "reject", "undo"]


def test_nothing_of_the_text_is_kept_in_the_browser(review: Page) -> None:
    review.context.set_offline(True)
    review.keyboard.press("2")
    expect(review.locator("#state")).to_have_text("Offline, 1 kept")
    kept = review.evaluate(
        "JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })"
    )
    assert "accept" in kept or "relabel" in kept
    assert "Ada" not in kept


def test_a_tab_that_died_leaves_its_decisions_to_the_next(
    review: Page, document: Document, live_server: LiveServer
) -> None:
    review.context.set_offline(True)
    review.keyboard.press("2")
    review.keyboard.press("x")
    expect(review.locator("#state")).to_have_text("Offline, 2 kept")
    kill(review)
    review.context.set_offline(False)
    later = review.context.new_page()
    later.goto(live_server.url + address_of(document))
    saved(later)
    expect(later.locator(".mention.needs")).to_have_count(0)
    assert decided(document) == {"Ada": "place accepted", "Oslo": "person rejected"}


def kill(page: Page) -> None:
    """Ends the tab without a word to its page."""
    page.close(run_before_unload=False)


@pytest.mark.parametrize("fault", ["abort", "500", "lost answer"])
def test_a_fault_of_the_way_loses_and_doubles_nothing(
    review: Page, document: Document, fault: str
) -> None:
    faults = iter([True, True])

    def answer(route: Route) -> None:
        if not next(faults, False):
            return route.continue_()
        if fault == "abort":
            return route.abort()
        if fault == "500":
            return route.fulfill(status=500, body="")
        route.fetch()  # it arrives, the answer does not
        return route.abort()

    review.route("**/decisions/", answer)
    review.keyboard.press("2")
    review.keyboard.press("x")
    saved(review)
    assert decided(document) == {"Ada": "place accepted", "Oslo": "person rejected"}
    assert Correction.objects.count() == 2


def test_a_decision_holds_where_others_changed_something_else(
    review: Page, document: Document, act: Callable[..., None]
) -> None:
    act("Oslo", "accept")
    review.keyboard.press("2")
    saved(review)
    assert decided(document) == {"Ada": "place accepted", "Oslo": "person accepted"}


@pytest.mark.parametrize(
    ("choice", "outcome"), [("Use mine", "place"), ("Keep what stands", "person")]
)
def test_of_two_who_decide_the_same_the_second_sees_both_and_chooses(
    review: Page, document: Document, act: Callable[..., None], choice: str, outcome: str
) -> None:
    act("Ada", "accept")
    review.keyboard.press("2")
    dialog = review.get_by_role("dialog", name="Somebody else decided this meanwhile")
    expect(dialog).to_contain_text("Ada")
    dialog.get_by_role("button", name=choice).click()
    saved(review)
    assert decided(document)["Ada"] == f"{outcome} accepted"


def test_what_was_never_shown_is_not_submitted(
    review: Page, document: Document, act: Callable[..., None]
) -> None:
    act("Ada", "reject")
    review.keyboard.press("Control+Enter")
    expect(review.locator("#notice")).to_contain_text("not submitted")
    document.refresh_from_db()
    assert document.status == "tagged"


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

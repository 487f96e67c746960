"""axe-core finds nothing to object to, on any page, in light, in dark and in forced colours."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotator import review as decisions
from annotator.models import Mention, Project, SignInLink, User
from tests import factories
from tests.annotator import filled

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("llm_server"),
]

# Beyond axe's default set: what WCAG 2.2 asks of the size of what is pressed.
OPTIONS = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


def objections(page: Page) -> str:
    """What axe-core objects to in each look, a line each: look, rule, element and why."""
    found = []
    for look, media in filled.LOOKS.items():
        page.emulate_media(**media)
        for violation in Axe().run(page, options=OPTIONS).response["violations"]:
            for node in violation["nodes"]:
                why = node["failureSummary"].splitlines()[1].strip()
                found.append(f"{look}: {violation['id']}: {node['target']}: {why}")
    return "\n".join(found)


# --- Pages ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/account/",
        "/prices/",
        "/projects/new/",
        "/projects/letters/",
        "/projects/letters/progress/",
        "/projects/letters/documents/",
        "/projects/letters/documents/?q=Ada",
        "/projects/letters/upload/",
        "/projects/letters/model/",
        "/projects/letters/prompt/",
        "/projects/letters/ledger/",
        "/projects/letters/ledger/?state=unknown",
        "/projects/letters/guidelines/",
        "/projects/letters/guidelines/edit/",
        "/projects/letters/export/",
        "/projects/letters/mentions/",
        "/projects/letters/triage/",
    ],
)
def test_a_page(open_page: Callable[[str], Page], letters: Project, path: str) -> None:
    page = open_page(path)
    assert page.locator("h1").count() == 1
    page.eval_on_selector_all("details", "found => found.forEach((each) => (each.open = true))")
    assert objections(page) == ""


def test_a_request_to_the_llm(open_page: Callable[[str], Page], letters: Project) -> None:
    call = letters.llm_calls.exclude(raw="").get()
    assert objections(open_page(f"/projects/letters/ledger/{call.pk}/")) == ""


def test_empty_pages(open_page: Callable[[str], Page], mei: User) -> None:
    assert objections(open_page("/")) == ""
    factories.make_project("Bare", owner=mei)
    for page in (
        "",
        "progress/",
        "documents/",
        "upload/",
        "model/",
        "ledger/",
        "review/",
        "triage/",
        "mentions/",
    ):
        assert objections(open_page(f"/projects/bare/{page}")) == "", page


def test_where_nothing_is_left(open_page: Callable[[str], Page], mei: User) -> None:
    project = factories.make_project("Done", owner=mei)
    factories.make_version(project)
    factories.make_document(project, status="tagged")
    page = open_page("/projects/done/review/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing left that needs you")
    assert objections(page) == ""


def test_the_way_in(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/sign-in/")
    assert objections(page) == ""
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("nothing")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert objections(page) == ""
    for token in (SignInLink.issue(factories.make_user()), "spent"):
        page.goto(f"{live_server.url}/sign-in/{token}/")
        assert objections(page) == ""


def test_refusals(open_page: Callable[[str], Page], mei: User) -> None:
    page = open_page("/projects/none/")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    assert objections(page) == ""
    User.objects.update(is_superuser=False)
    page = open_page("/projects/new/")
    expect(page.get_by_role("heading", level=1)).to_have_text("This is not for you to do")
    assert objections(page) == ""
    page.evaluate("document.querySelector('form.sign-out input').value = 'stale'")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This page was open too long")
    assert objections(page) == ""


@pytest.mark.parametrize(
    ("path", "button"),
    [
        ("/projects/new/", "Make the project"),
        ("/account/", "Set password"),
        ("/prices/", "Keep it"),
    ],
)
def test_what_was_wrong_with_a_form(
    open_page: Callable[[str], Page], letters: Project, path: str, button: str
) -> None:
    page = open_page(path)
    sent = page.locator("form", has=page.get_by_role("button", name=button))
    sent.evaluate("form => (form.noValidate = true)")
    for field in sent.locator("input[required]").all():
        field.fill("")
    sent.get_by_role("button", name=button).click()
    expect(page.locator(".errorlist").first).to_be_visible()
    assert objections(page) == ""


def test_triage_with_a_group_open_and_an_act_to_confirm(
    open_page: Callable[[str], Page], letters: Project
) -> None:
    page = open_page("/projects/letters/triage/")
    group = page.locator("[data-group]").first
    group.locator(".opener").click()
    expect(group.locator(".sentences")).to_be_visible()
    assert objections(page) == ""
    group.get_by_role("button", name="Reject", exact=False).first.click()
    expect(group.locator(".preview")).not_to_be_empty()
    assert objections(page) == ""


# --- The review page ------------------------------------------------------------------------------
def test_mentions_of_each_state_and_the_panel_of_each(review: Page) -> None:
    for tag in review.locator(".tag").all():
        tag.press("Enter")
        expect(tag.locator("xpath=..")).to_contain_class("focus")
        assert objections(review) == ""


def test_the_labels_beside_words_that_are_chosen(review: Page) -> None:
    review.keyboard.press("n")
    expect(review.get_by_role("dialog", name="Label the selected words")).to_be_visible()
    assert objections(review) == ""


@pytest.mark.parametrize(("key", "name"), [("?", "Keys"), ("c", "About “Bo”"), ("g", "Guidelines")])
def test_its_dialogs(review: Page, key: str, name: str) -> None:
    review.keyboard.press(key)
    expect(review.get_by_role("dialog", name=name)).to_be_visible()
    assert objections(review) == ""


def test_the_dialog_of_a_conflict(review: Page, letters: Project) -> None:
    document = filled.letter(letters)
    mention = Mention.objects.get(document=document, start=filled.TEXT.index("Bo"))
    other = factories.make_user()
    accept = decisions.Decision(uuid.uuid4(), "accept", mention=mention.pk)
    decisions.decide(document, other, accept)
    review.keyboard.press("2")
    name = "Somebody else decided this meanwhile"
    expect(review.get_by_role("dialog", name=name)).to_be_visible()
    assert objections(review) == ""


def test_what_it_says_while_the_server_is_away(review: Page) -> None:
    def refuse(route: Route) -> None:
        route.abort()

    review.route("**/decisions/", refuse)
    review.keyboard.press("2")
    expect(review.locator("#state")).to_contain_text("1 kept")
    assert objections(review) == ""


def test_the_tour(open_page: Callable[[str], Page], letters: Project) -> None:
    Project.objects.update(recording="demo")
    page = open_page(f"/projects/letters/documents/{filled.letter(letters).pk}/")
    tour = page.get_by_role("region", name="A look around")
    expect(tour).to_be_visible()
    assert objections(page) == ""
    for _ in range(2):
        tour.get_by_role("button", name="Next").click()
        assert objections(page) == ""

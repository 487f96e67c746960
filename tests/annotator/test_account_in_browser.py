"""In Chromium: choosing keys on the account page, and the tour of the review page."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from playwright.sync_api import Locator, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import User
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
def signed_in(page: Page, live_server: LiveServer, user: User) -> Page:
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    return page


# --- Keys ----------------------------------------------------------------------------------------
@pytest.fixture
def account(signed_in: Page, live_server: LiveServer) -> Page:
    signed_in.goto(f"{live_server.url}/account/")
    expect(press_for(signed_in, "Accept")).to_be_visible()
    return signed_in


def press_for(page: Page, title: str) -> Locator:
    return page.get_by_role("button", name=f"Press keys for: {title}", exact=True)


def keys_of(user: User) -> dict[str, list[str]]:
    user.refresh_from_db()
    found: dict[str, list[str]] = user.keys
    return found


@pytest.mark.parametrize(
    ("pressed", "written"),
    [
        ("y", "y"),
        ("Shift+Y", "Shift+y"),
        ("Space", "Space"),
        ("Enter", "Enter"),
        ("Control+Shift+ArrowLeft", "Ctrl+Shift+ArrowLeft"),
        ("Alt+]", "Alt+]"),
        ("Shift+BracketRight", "}"),
        ("Shift+Slash", "?"),
    ],
)
def test_pressing_keys_fills_them_in(account: Page, pressed: str, written: str) -> None:
    press_for(account, "Comment").focus()
    account.keyboard.press("Enter")
    account.keyboard.press(pressed)
    expect(account.get_by_label("Comment", exact=True)).to_have_value(written)
    expect(press_for(account, "Comment")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("pressed", ["Escape", "Tab"])
def test_who_presses_nothing_keeps_the_old_keys(account: Page, pressed: str) -> None:
    press_for(account, "Comment").click()
    account.keyboard.press(pressed)
    account.keyboard.press("y")
    expect(account.get_by_label("Comment", exact=True)).to_have_value("c")
    expect(press_for(account, "Comment")).to_have_attribute("aria-pressed", "false")


def test_keys_are_pressed_typed_and_saved(account: Page, user: User) -> None:
    press_for(account, "Accept").click()
    account.keyboard.press("y")
    account.get_by_label("Comment", exact=True).fill("Ctrl+m v")
    account.get_by_label("Single-key shortcuts").uncheck()
    account.get_by_role("button", name="Save the keys").click()
    expect(account.get_by_text("Your keys are saved.")).to_be_visible()
    assert keys_of(user) == {"accept": ["y"], "comment": ["Ctrl+m", "v"]}
    assert not user.single_keys


def test_a_clash_is_said_beside_both_and_nothing_is_saved(account: Page, user: User) -> None:
    press_for(account, "Accept").click()
    account.keyboard.press("x")
    account.get_by_role("button", name="Save the keys").click()
    expect(account.get_by_text("“x” cannot do two things")).to_have_count(2)
    expect(account.get_by_label("Accept", exact=True)).to_have_attribute("aria-invalid", "true")
    assert keys_of(user) == {}


def test_enter_in_a_field_saves_and_does_not_reset(account: Page, user: User) -> None:
    account.get_by_label("Accept", exact=True).fill("y")
    account.keyboard.press("Enter")
    expect(account.get_by_text("Your keys are saved.")).to_be_visible()
    assert keys_of(user) == {"accept": ["y"]}


def test_the_page_fits_a_phone(account: Page) -> None:
    account.set_viewport_size({"width": 390, "height": 844})
    width = account.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


# --- The tour ------------------------------------------------------------------------------------
@pytest.fixture
def toured(signed_in: Page, live_server: LiveServer, user: User) -> Page:
    """A page with what the tour points at, and the tour."""
    request = RequestFactory().get("/")
    tour = render_to_string("tour.html", request=request)
    token = request.META["CSRF_COOKIE"]
    signed_in.context.add_cookies([{"name": "csrftoken", "value": token, "url": live_server.url}])
    html = f"""<!doctype html><title>A page</title><main id="main" tabindex="-1">{tour}
      <p id="text"><span class="mention needs">Ada</span></p><aside id="panel">Why</aside>
      <form id="submit"></form></main>
      <script type="module" src="/static/tour.js"></script>"""

    def answer(route: Route) -> None:
        route.fulfill(body=html, content_type="text/html; charset=utf-8")

    signed_in.route("**/toured/", answer)
    signed_in.goto(f"{live_server.url}/toured/")
    expect(signed_in.get_by_role("region", name="A look around")).to_be_visible()
    return signed_in


def pointed_at(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        ".tour-target", "found => found.map((e) => e.id || e.className)"
    )
    return found


def test_the_tour_goes_on_and_back_by_keyboard(toured: Page) -> None:
    expect(toured.get_by_text("1 of 3")).to_be_visible()
    assert pointed_at(toured) == ["mention needs tour-target"]
    toured.get_by_role("button", name="Next").focus()
    toured.keyboard.press("Enter")
    expect(toured.get_by_text("2 of 3")).to_be_visible()
    expect(toured.get_by_text("1 of 3")).to_be_hidden()
    assert pointed_at(toured) == ["panel"]
    toured.keyboard.press("Space")
    assert pointed_at(toured) == ["submit"]
    toured.get_by_role("button", name="Back").press("Enter")
    expect(toured.get_by_text("2 of 3")).to_be_visible()


def test_what_is_drawn_anew_is_outlined_too(toured: Page) -> None:
    toured.evaluate(
        """() => {
          const mark = document.createElement("span");
          mark.className = "mention needs";
          document.getElementById("text").replaceChildren(mark);
        }"""
    )
    expect(toured.locator(".tour-target")).to_have_count(1)


@pytest.mark.parametrize("way", ["Dismiss", "Escape", "Done"])
def test_it_is_dismissed_for_good(toured: Page, user: User, way: str) -> None:
    with toured.expect_response("**/account/tour/") as answered:
        if way == "Escape":
            toured.get_by_role("button", name="Next").press("Escape")
        elif way == "Dismiss":
            toured.get_by_role("button", name="Dismiss").click()
        else:
            for name in ("Next", "Next", "Done"):
                toured.get_by_role("button", name=name).click()
    assert answered.value.status == 204
    expect(toured.get_by_role("region", name="A look around")).to_be_hidden()
    assert pointed_at(toured) == []
    user.refresh_from_db()
    assert user.tour_seen


def test_keys_of_its_buttons_do_not_reach_the_page(toured: Page) -> None:
    toured.evaluate("() => { window.heard = []; document.onkeydown = (e) => heard.push(e.key); }")
    toured.get_by_role("button", name="Next").press("Enter")
    toured.get_by_role("button", name="Next").press("Space")
    toured.keyboard.press("a")
    assert toured.evaluate("heard") == ["a"]

"""The page of figures in Chromium: tables that open and are copied, drawings that fit."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from annotator import reliability
from annotator.models import Project, User
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
    project = factories.make_project("Letters", annotator=user)
    factories.make_version(project)
    for n in range(reliability.ENOUGH):
        document = factories.make_gold(project, f"{n} Ada.", ("Ada", "person"), split="dev")
        factories.make_prediction(document, "Ada", "person", uncertainty=n / 100)
    return project


@pytest.fixture
def progress(page: Page, live_server: LiveServer, project: Project, user: User) -> Page:
    """The page of figures, signed in."""
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.goto(f"{live_server.url}/projects/{project.slug}/progress/")
    return page


def test_a_table_is_copied_for_a_spreadsheet(progress: Page) -> None:
    progress.context.grant_permissions(["clipboard-read", "clipboard-write"])
    progress.locator("#risk summary").click()
    progress.locator("#risk [data-copy]").click()
    expect(progress.locator("#risk [role='status']")).to_have_text("Copied.")
    copied = progress.evaluate("navigator.clipboard.readText()").split("\n")
    assert copied[0] == "Uncertainty up to\tKept\tCoverage\tWrong\tRisk"
    assert copied[1] == "0.0400\t5\t0.1000\t0\t0.0000"
    assert len(copied) == 12


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_drawings_stay_inside_their_cards(progress: Page, width: int) -> None:
    progress.set_viewport_size({"width": width, "height": 900})
    outside = progress.evaluate(
        """() => [...document.querySelectorAll(".drawing")].flatMap((card) => {
            const box = card.getBoundingClientRect();
            return [...card.querySelectorAll("svg :is(text, rect, line, circle)")]
              .map((mark) => mark.getBoundingClientRect())
              .filter((mark) => mark.left < box.left - 1 || mark.right > box.right + 1)
              .map((mark) => [card.id, mark.left, mark.right]);
        })"""
    )
    assert outside == []
    assert progress.evaluate("document.documentElement.scrollWidth") <= width


def test_colours_follow_the_theme(progress: Page) -> None:
    line = progress.locator("#risk polyline")
    colour = "(line) => getComputedStyle(line).stroke"
    progress.emulate_media(color_scheme="light")
    light = line.evaluate(colour)
    progress.emulate_media(color_scheme="dark")
    assert line.evaluate(colour) != light

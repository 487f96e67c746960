"""Times are the reader's; without a script they are UTC, and say so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from annotator.models import LLMCall, User
from tests import factories

SENT = datetime(2024, 5, 17, 22, 30, 5, tzinfo=UTC)


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def call(user: User) -> LLMCall:
    project = factories.make_project("Letters", annotator=user)
    call = factories.make_call(project, settled_at=SENT)
    LLMCall.objects.update(created_at=SENT)
    return call


@pytest.mark.django_db
def test_a_time_names_its_zone(client: Client, user: User, call: LLMCall) -> None:
    client.force_login(user)
    for page in (reverse("annotator:ledger", args=["letters"]), page_of(call)):
        html = client.get(page).content.decode()
        assert '<time datetime="2024-05-17T22:30:05+00:00" data-local="both">' in html
        assert "17 May 2024, 22:30:05 UTC</time>" in html


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("script", [True, False])
def test_a_time_is_written_in_the_zone_of_its_reader(
    browser: Browser, live_server: LiveServer, user: User, call: LLMCall, script: bool
) -> None:
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    tokyo = browser.new_context(
        timezone_id="Asia/Tokyo", locale="en-GB", java_script_enabled=script
    )
    try:
        tokyo.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = tokyo.new_page()
        page.goto(live_server.url + page_of(call))
        here = "18 May 2024, 07:30:05" if script else "17 May 2024, 22:30:05 UTC"
        expect(page.locator("h1")).to_have_text(f"Request of {here}")
        expect(page.locator("dl time")).to_have_text(here.split(", ")[1])
    finally:
        tokyo.close()


def page_of(call: LLMCall) -> str:
    return reverse("annotator:call", args=["letters", call.pk])

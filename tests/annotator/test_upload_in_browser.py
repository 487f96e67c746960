"""An upload in Chromium: that it can be cancelled while it is on its way."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]


def test_an_upload_under_way_is_cancelled(
    page: Page, live_server: LiveServer, tmp_path: Path
) -> None:
    owner = factories.make_user()
    project = factories.make_project("Letters", owner=owner)
    client = Client()
    client.force_login(owner)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.goto(f"{live_server.url}/projects/{project.slug}/upload/")
    expect(page.locator("#upload-cancel")).to_be_hidden()
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    slow.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000},
    )
    file = tmp_path / "letters.txt"
    file.write_text("Ada met Bo.\n" * 200_000)
    page.set_input_files("input[type=file]", file)
    page.locator("#upload-go").click()
    page.locator("#upload-cancel").click()
    expect(page.locator("#upload-state")).to_have_text("Cancelled. Nothing was taken in.")
    expect(page.locator("#upload-cancel")).to_be_hidden()
    expect(page.locator("#upload-go")).to_be_enabled()
    assert not project.imports.exists()

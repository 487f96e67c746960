"""Settings for tests of the Django side: no collected static files, no slow password hashes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from pytest_django import Settings

from tests import factories
from tests.annotator.workers import Broker

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

    from annotator.models import Project, User

# Playwright keeps an event loop running in the tests' thread; no query here is made inside it.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as it is run: in memory, threads would share one connection's locks."""
    from django.db import connection

    if connection.vendor == "sqlite":
        file = tmp_path_factory.mktemp("database") / "test.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(file)


@pytest.fixture
def storage(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The storage root, empty, as web and workers see it."""
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setenv("STORAGE_URL", tmp_path.as_uri())
    return tmp_path


@pytest.fixture
def broker(storage: Path) -> Iterator[Broker]:
    """A broker without workers: what is sent waits in its queues."""
    with Broker() as broker:
        yield broker


@pytest.fixture
def llm_server(settings: Settings) -> None:
    """An LLM server is set up; nobody asks it, for the broker has no workers."""
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", factories.MODEL


@pytest.fixture(autouse=True)
def _quick_settings(settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


# --- Pages in a browser, with something to see on each --------------------------------------------
@pytest.fixture
def mei() -> User:
    """May do everything."""
    return factories.make_user("mei", is_superuser=True)


@pytest.fixture
def letters(mei: User) -> Project:
    from tests.annotator import filled

    return filled.make_project(mei)


@pytest.fixture
def open_page(page: Page, live_server: LiveServer, mei: User) -> Callable[[str], Page]:
    """Opens the page at a path, signed in as `mei`."""
    client = Client()
    client.force_login(mei)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.emulate_media(reduced_motion="reduce")

    def open_page(path: str) -> Page:
        page.goto(live_server.url + path)
        return page

    return open_page


@pytest.fixture
def review(open_page: Callable[[str], Page], letters: Project) -> Page:
    """The review page of a document with a mention in each state."""
    from playwright.sync_api import expect

    from tests.annotator import filled

    review = open_page(f"/projects/letters/documents/{filled.letter(letters).pk}/")
    expect(review.locator(".mention")).to_have_count(9)
    expect(review.locator("#why")).to_contain_text("Local model")
    return review

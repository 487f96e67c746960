"""Settings for tests of the Django side: no collected static files, no slow password hashes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.annotator.workers import Broker

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


@pytest.fixture(autouse=True)
def _quick_settings(settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

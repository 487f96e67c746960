"""What every test may ask for: a server or a browser, and the rule for a machine without one.

A test marked `postgres`, `redis` or `browser` is skipped, with the reason, where that thing is
missing. `SPANLIGHT_REQUIRE=postgres,redis,browser` turns such a skip into a failure, so that a
machine meant to run everything cannot pass by running less.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
POSTGRES = {
    "host": os.environ.get("PGHOST", "127.0.0.1"),
    "port": int(os.environ.get("PGPORT", "5432")),
    "user": os.environ.get("PGUSER", "postgres"),
    "password": os.environ.get("PGPASSWORD", ""),
}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium looks for updates and lists at every start; tests must run in a closed network.
CHROMIUM_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@cache
def missing_postgres() -> str | None:
    """Why PostgreSQL cannot be used here; None when it can."""
    import psycopg

    try:
        psycopg.connect(dbname="postgres", connect_timeout=3, **POSTGRES).close()
    except psycopg.OperationalError as error:
        return f"no PostgreSQL at {POSTGRES['host']}:{POSTGRES['port']}: {error}"
    return None


@cache
def missing_redis() -> str | None:
    """Why Redis cannot be used here; None when it can."""
    import redis

    try:
        redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3).ping()
    except redis.RedisError as error:
        return f"no Redis at {REDIS_URL}: {error}"
    return None


def chromium_path() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def missing_browser() -> str | None:
    """Why no browser can be used here; None when one can."""
    return None if chromium_path() else f"none of {', '.join(CHROMIUM_NAMES)} on PATH"


MISSING: dict[str, Callable[[], str | None]] = {
    "postgres": missing_postgres,
    "redis": missing_redis,
    "browser": missing_browser,
}


def pytest_configure() -> None:
    required = required_names()
    if unknown := required - MISSING.keys():
        raise pytest.UsageError(f"SPANLIGHT_REQUIRE names {sorted(unknown)}; known: {[*MISSING]}")


def required_names() -> set[str]:
    names = os.environ.get("SPANLIGHT_REQUIRE", "").split(",")
    return {name.strip() for name in names} - {""}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, missing in MISSING.items():
        if item.get_closest_marker(name) is None or (reason := missing()) is None:
            continue
        if name in required_names():
            pytest.fail(f"SPANLIGHT_REQUIRE names {name}, but there is {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A Redis database of the test's own, empty before and after; mark the test `redis`."""
    import redis

    client = redis.Redis.from_url(REDIS_URL)
    client.flushdb()
    yield REDIS_URL
    client.flushdb()
    client.close()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of the test's own, dropped after it; mark the test `postgres`."""
    import psycopg
    from psycopg import sql

    name = f"spanlight_test_{os.getpid()}"
    credentials = ":".join(filter(None, (POSTGRES["user"], POSTGRES["password"])))
    with psycopg.connect(dbname="postgres", autocommit=True, **POSTGRES) as connection:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield f"postgres://{credentials}@{POSTGRES['host']}:{POSTGRES['port']}/{name}"
        connection.execute(drop)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """pytest-playwright's `browser`, `context` and `page` fixtures drive the machine's Chromium."""
    # Chromium's sandbox refuses to start for root, which is who runs tests in most containers.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return browser_type_launch_args | {
        "executable_path": chromium_path(),
        "args": CHROMIUM_ARGUMENTS + sandbox,
    }

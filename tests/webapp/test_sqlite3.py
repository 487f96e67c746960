"""SQLite's writers wait in line, and nobody is left waiting."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from annotator.durability import forgettable

pytestmark = pytest.mark.django_db(transaction=True)


def connect(file: Path) -> BaseDatabaseWrapper:
    """A connection that gives up at once where SQLite finds the database locked."""
    settings = {
        "ENGINE": "webapp.sqlite3",
        "NAME": str(file),
        "OPTIONS": {"timeout": 0, "transaction_mode": "IMMEDIATE"},
        "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,
        "TIME_ZONE": None,
        "USER": "",
        "PASSWORD": "",
        "HOST": "",
        "PORT": "",
    }
    backend = load_backend("webapp.sqlite3")
    made: BaseDatabaseWrapper = backend.DatabaseWrapper(settings, "other")
    made.inc_thread_sharing()
    return made


def begin(connection: BaseDatabaseWrapper) -> None:
    connection.ensure_connection()
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def commit(connection: BaseDatabaseWrapper) -> None:
    connection.commit()
    connection.set_autocommit(True)


def add(connection: BaseDatabaseWrapper) -> None:
    begin(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE counted SET number = number + 1")
    commit(connection)


def number(connection: BaseDatabaseWrapper) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM counted")
        return int(cursor.fetchone()[0])


@pytest.fixture
def file(tmp_path: Path, transactional_db: None) -> Path:
    file = tmp_path / "some.sqlite3"
    connection = connect(file)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("CREATE TABLE counted (number integer)")
        cursor.execute("INSERT INTO counted VALUES (0)")
    connection.close()
    return file


def test_of_writers_at_once_none_is_turned_away(file: Path) -> None:
    start = threading.Barrier(8)

    def work(_: int) -> None:
        connection = connect(file)
        start.wait()
        for _ in range(20):
            add(connection)
        connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert number(connect(file)) == 8 * 20


@pytest.mark.parametrize("end", ["rollback", "close"])
def test_a_writer_that_gives_up_lets_the_next_one_in(file: Path, end: str) -> None:
    first, second = connect(file), connect(file)
    begin(first)
    getattr(first, end)()
    add(second)
    assert number(second) == 1


def synchronous() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        return int(cursor.fetchone()[0])


FULL, NORMAL = 2, 1


def test_only_what_may_be_forgotten_does_not_wait_for_the_disk() -> None:
    assert synchronous() == FULL
    with forgettable():
        assert synchronous() == NORMAL
    assert synchronous() == FULL
    with pytest.raises(ZeroDivisionError), forgettable():
        raise ZeroDivisionError
    assert synchronous() == FULL


def test_as_part_of_a_decision_nothing_is_forgotten() -> None:
    with transaction.atomic(), forgettable():
        assert synchronous() == FULL

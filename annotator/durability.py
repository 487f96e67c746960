"""Writes that need not outlive a power cut, and so need not wait for the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def forgettable() -> Iterator[None]:
    """A transaction that is seen by all once it ends, but that a power cut may take back, the last
    ones first. Part of an outer transaction it is what that is."""
    is_sqlite, is_outermost = connection.vendor == "sqlite", not connection.in_atomic_block
    if is_sqlite and is_outermost:  # the pragma says nothing inside a transaction
        _say("PRAGMA synchronous=NORMAL")
    try:
        with transaction.atomic():
            if not is_sqlite and is_outermost:
                _say("SET LOCAL synchronous_commit TO off")
            yield
    finally:
        if is_sqlite and is_outermost:
            _say("PRAGMA synchronous=FULL")


def _say(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)

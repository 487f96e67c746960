"""Django's SQLite backend, whose writers wait in line.

Where SQLite finds the database locked it sleeps, up to a tenth of a second at a time, and looks
again: the lock lies idle meanwhile, and whoever comes at the right moment goes first. Here every
transaction first locks a file beside the database: the system wakes the next in line at once.
SQLite's own locks are what keeps data whole; this one only saves the sleep.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    # Types: django-stubs leave out what Django's wrappers override.
    _turn: int | None = None
    """The descriptor of the file beside the database, from this connection's first transaction."""

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._give_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            turn, self._turn = self._turn, None
            if turn is not None:
                os.close(turn)

    def _take_turn(self) -> None:
        name = str(self.settings_dict["NAME"])
        if self.is_in_memory_db():
            return
        if self._turn is None:
            self._turn = os.open(f"{name}-turn", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._turn, fcntl.LOCK_EX)

    def _give_turn(self) -> None:
        if self._turn is not None:
            with suppress(OSError):
                fcntl.flock(self._turn, fcntl.LOCK_UN)

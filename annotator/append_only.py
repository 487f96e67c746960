"""A trigger in the database that refuses to change a correction.

It is made anew after every migration, because SQLite drops a table's triggers when a migration
rebuilds the table.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

SQLITE = """
DROP TRIGGER IF EXISTS corrections_are_never_changed;
CREATE TRIGGER corrections_are_never_changed BEFORE UPDATE ON annotator_correction
BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;
"""

POSTGRESQL = """
CREATE OR REPLACE FUNCTION refuse_to_change_corrections() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'corrections are append-only'; END $$ LANGUAGE plpgsql;
DROP TRIGGER IF EXISTS corrections_are_never_changed ON annotator_correction;
CREATE TRIGGER corrections_are_never_changed BEFORE UPDATE ON annotator_correction
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_corrections();
"""


def install(using: str, **_: Any) -> None:
    """Receiver of `post_migrate`."""
    connection = connections[using]
    if "annotator_correction" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.connection.executescript(SQLITE)
        else:
            cursor.execute(POSTGRESQL)

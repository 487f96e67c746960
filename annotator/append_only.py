"""Triggers in the database that refuse to change what is kept for good: corrections and prompts.

They are made anew after every migration, because SQLite drops a table's triggers when a migration
rebuilds the table.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

KINDS = {"corrections": "annotator_correction", "prompts": "annotator_prompt"}
"""What is kept → its table; both are names of our own, so they may stand in SQL."""

SQLITE = """
DROP TRIGGER IF EXISTS {kind}_are_never_changed;
CREATE TRIGGER {kind}_are_never_changed BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{kind} are append-only'); END;
"""

POSTGRESQL = """
CREATE OR REPLACE FUNCTION refuse_to_change_{kind}() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION '{kind} are append-only'; END $$ LANGUAGE plpgsql;
DROP TRIGGER IF EXISTS {kind}_are_never_changed ON {table};
CREATE TRIGGER {kind}_are_never_changed BEFORE UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_{kind}();
"""


def install(using: str, **_: Any) -> None:
    """Receiver of `post_migrate`."""
    connection = connections[using]
    present = connection.introspection.table_names()
    for kind, table in KINDS.items():
        if table not in present:
            continue
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.connection.executescript(SQLITE.format(kind=kind, table=table))
            else:
                cursor.execute(POSTGRESQL.format(kind=kind, table=table))

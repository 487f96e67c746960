"""What a person did on the triage page and can take back: kept in their session, so that it is
offered still after reloading the page."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from annotator.models import Project

from .access import Request

KEY = "acts"
MOST = 20
"""How many acts back."""


@dataclass(frozen=True)
class Act:
    """A step and what it did, in plain words."""

    step: uuid.UUID
    said: str


class Acts:
    """As in every editor: what was undone can be done again until something new is done."""

    def __init__(self, request: Request, project: Project) -> None:
        self._session = request.session
        self._project = str(project.pk)

    @property
    def undoable(self) -> Act | None:
        return self._last("done")

    @property
    def redoable(self) -> Act | None:
        return self._last("undone")

    def did(self, step: uuid.UUID, said: str) -> None:
        done = [row for row in self._rows("done") if row[0] != str(step)]
        self._write([*done, [str(step), said]], [])

    def turn(self, act: Act, by: uuid.UUID, *, again: bool) -> None:
        """`act` was taken back by the step `by`, which can be taken back in turn: it was done, or
        for `again` done once more."""
        rows = {name: self._rows(name) for name in ("done", "undone")}
        source, target = ("undone", "done") if again else ("done", "undone")
        rows[source] = [row for row in rows[source] if row[0] != str(act.step)]
        rows[target] = [*rows[target], [str(by), act.said]]
        self._write(**rows)

    def forget(self, step: uuid.UUID) -> None:
        """What cannot be undone any more is not offered."""
        done, undone = (
            [row for row in self._rows(name) if row[0] != str(step)] for name in ("done", "undone")
        )
        self._write(done, undone)

    def _last(self, name: str) -> Act | None:
        rows = self._rows(name)
        return Act(uuid.UUID(rows[-1][0]), rows[-1][1]) if rows else None

    def _rows(self, name: str) -> list[list[str]]:
        kept: dict[str, list[list[str]]] = self._session.get(KEY, {}).get(self._project, {})
        return list(kept.get(name, []))

    def _write(self, done: list[list[str]], undone: list[list[str]]) -> None:
        kept = {"done": done[-MOST:], "undone": undone[-MOST:]}
        self._session[KEY] = self._session.get(KEY, {}) | {self._project: kept}

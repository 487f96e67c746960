"""What a person sends when they decide, and why it may not be carried out."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import NamedTuple

from django.core.exceptions import ValidationError

from .models import Correction

Action = Correction.Action
ACTIONS = [action.value for action in Action if action not in (Action.SUBMIT, Action.UNDO)]
"""Those about one mention."""


class Stale(Exception):
    """The document moved on since the page was read; `version` is where it is now."""

    def __init__(self, version: int) -> None:
        super().__init__(f"The document has changed: it is at version {version} now.")
        self.version = version


class Refused(ValidationError):
    """A decision that cannot be; the message says why."""


class Name(NamedTuple):
    """A mention by what it is, which outlives a rebuild of suggestions: no two of a document have
    the same span and label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Decision:
    """One decision as the client sends it. `id` is the client's: sent twice, recorded once.

    `mention` is the mention decided about, by its id or its name (accept, reject, relabel,
    resize); `start`, `end` are code points (resize, add); `label` is a label's name (relabel, add;
    optional for accept); `of` is the step to be undone (undo). A submit says nothing more.
    """

    id: uuid.UUID
    action: str
    version: int | None = None
    mention: int | Name | None = None
    start: int | None = None
    end: int | None = None
    label: str | None = None
    of: uuid.UUID | None = None

"""Documents, their labels, and the mentions in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlworker.schema.message import Message

NO_ENTITY = "O"
"""The name of "not an entity" among label names; no label may carry it."""

DEFAULT_LANGUAGE = "en"
"""The language of texts that say none, as of the default encoder."""


@dataclass(frozen=True)
class Label(Message):
    name: str
    description: str = ""


@dataclass(frozen=True, order=True)
class Mention(Message):
    """A span with a label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Text(Message):
    """A document as the ML core sees it.

    `tokens` are the words' offsets where the corpus came tokenised (CoNLL); each line of such a
    text is one sentence; another text is cut by the rules of its `language`
    (ISO 639, or "xx" for any). `mentions` are gold and given for training and evaluation only.
    """

    id: int
    text: str
    tokens: list[tuple[int, int]] | None = None
    mentions: list[Mention] = field(default_factory=list)
    language: str = DEFAULT_LANGUAGE

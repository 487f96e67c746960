"""The two messages that put multiple-choice questions about spans to an LLM.

The system message depends on the labels and the prompt alone, so providers cache it.
The user message is a JSON object and nothing else:

    {"options": {"A": "person", "B": "location", "C": "not an entity"},
     "items": [{"id": 1, "context": "I met ⟦Ada⟧ .", "span": "Ada"}]}

Items are numbered from 1 in the order of the request's questions; a database id never leaves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from string import ascii_uppercase

from mlworker.schema import NO_ENTITY, AskRequest, Label, Question

PROMPTS = Path(__file__).parent / "prompts"
SLOT = "{{options}}"

OPEN, CLOSE = "\u27e6", "\u27e7"
PLAIN_BRACKETS = str.maketrans({OPEN: "[", CLOSE: "]"})

NOT_AN_ENTITY = "not an entity"
NOT_AN_ENTITY_DESCRIPTION = (
    "the marked words are no name of these kinds, or only a part of one, or a name and more."
)


@dataclass(frozen=True)
class Prompt:
    """`options` maps each code to the label name it stands for, or to `NO_ENTITY`."""

    system: str
    user: str
    options: dict[str, str]


def build(request: AskRequest) -> Prompt:
    """Raises `ValueError` where the request's prompt does not exist."""
    named = dict(zip(codes(len(request.labels) + 1), option_names(request.labels), strict=True))
    items = [
        {"id": number, "context": marked(question), "span": plain(surface(question))}
        for number, question in enumerate(request.questions, start=1)
    ]
    user = json.dumps({"options": named, "items": items}, ensure_ascii=False, separators=(",", ":"))
    names = [*(label.name for label in request.labels), NO_ENTITY]
    return Prompt(
        system=encodable(system_message(request.prompt, request.labels)),
        user=encodable(user),
        options=dict(zip(named, names, strict=True)),
    )


def codes(count: int) -> Iterator[str]:
    """`count` codes of equal length: A, B, C… and where the letters run out AA, AB…

    Of equal length, so that none is the beginning of another.
    """
    width = 1
    while len(ascii_uppercase) ** width < count:
        width += 1
    letters = product(ascii_uppercase, repeat=width)
    return ("".join(next(letters)) for _ in range(count))


def option_names(labels: Sequence[Label]) -> list[str]:
    return [*(label.name for label in labels), NOT_AN_ENTITY]


def system_message(prompt: str, labels: Sequence[Label]) -> str:
    """The task, and one line per option with its description.

    The one slot is filled by plain replacement: braces in a description stay what they are.
    """
    descriptions = [*(label.description for label in labels), NOT_AN_ENTITY_DESCRIPTION]
    lines = [
        one_line(f"{code} = {name}: {description}" if description.strip() else f"{code} = {name}")
        for code, name, description in zip(
            codes(len(descriptions)), option_names(labels), descriptions, strict=True
        )
    ]
    return template(prompt).replace(SLOT, "\n".join(lines))


@cache
def template(prompt: str) -> str:
    """The text of a prompt; raises `ValueError` where there is none."""
    path = PROMPTS / f"{prompt}.txt"
    if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", prompt) or not path.is_file():
        raise ValueError(f"there is no prompt {prompt!r}")
    return path.read_text(encoding="utf-8").strip()


def marked(question: Question) -> str:
    """The question's context with the span between ⟦ and ⟧, which stand nowhere else in it."""
    before, after = question.context[: question.start], question.context[question.end :]
    return f"{plain(before)}{OPEN}{plain(surface(question))}{CLOSE}{plain(after)}"


def surface(question: Question) -> str:
    return question.context[question.start : question.end]


def plain(text: str) -> str:
    """`text` with plain brackets for the two markers, character for character."""
    return text.translate(PLAIN_BRACKETS)


def one_line(text: str) -> str:
    return " ".join(text.split())


def encodable(text: str) -> str:
    """`text` with a question mark for each lone surrogate, which no request could carry."""
    return text.encode("utf-8", "replace").decode("utf-8")

"""The review page's keys: what can be done by keyboard, and which keys do it for whom.

A combination is written like a `KeyboardEvent`: "a", "Space", "ArrowDown", "Alt+]",
"Ctrl+Shift+z". Ctrl, Alt and Shift stand in this order; Ctrl means Command on a Mac too. A letter
is small, with Shift where it is held. Any other character is written as what it types ("{", "?"),
without Shift, so that it is found on every keyboard layout. `static/gestures.js` writes the
keys that were pressed in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from .models import User


@dataclass(frozen=True)
class Action:
    """Something to do on the review page, and the combinations that do it by default."""

    id: str
    title: str
    keys: tuple[str, ...]


ACTIONS = (
    Action("accept", "Accept", ("a",)),
    Action("reject", "Reject: not an entity", ("x",)),
    Action("skip", "Skip the span", ("Space",)),
    Action("next", "Next span that needs you", ("j", "ArrowDown")),
    Action("previous", "Previous span that needs you", ("k", "ArrowUp")),
    Action("start_left", "Start one word earlier", ("[",)),
    Action("end_right", "End one word later", ("]", "Shift+ArrowRight")),
    Action("start_right", "Start one word later", ("{",)),
    Action("end_left", "End one word earlier", ("}", "Shift+ArrowLeft")),
    Action("start_left_char", "Start one character earlier", ("Alt+[",)),
    Action("end_right_char", "End one character later", ("Alt+]", "Alt+Shift+ArrowRight")),
    Action("start_right_char", "Start one character later", ("Alt+{",)),
    Action("end_left_char", "End one character earlier", ("Alt+}", "Alt+Shift+ArrowLeft")),
    Action("take_llm", "Take the LLM's label", ("l",)),
    Action("take_model", "Take the model's label", ("m",)),
    Action("add", "Add a mention at the selection", ("n",)),
    Action("everywhere", "Label all occurrences", ("o",)),
    Action("comment", "Comment", ("c",)),
    Action("flag", "Flag the document", ("f",)),
    Action("submit", "Submit and next", ("Ctrl+Enter",)),
    Action("skip_document", "Skip the document", ("s",)),
    Action("undo", "Undo", ("Ctrl+z",)),
    Action("redo", "Redo", ("Ctrl+Shift+z",)),
    Action("search", "Search", ("/",)),
    Action("guidelines", "Guidelines", ("g",)),
    Action("help", "Help: all keys", ("?",)),
)
BY_ID = {action.id: action for action in ACTIONS}
MOST = 4
"""Combinations that one action may have."""

MODIFIERS = {
    "ctrl": "Ctrl",
    "control": "Ctrl",
    "cmd": "Ctrl",
    "meta": "Ctrl",
    "alt": "Alt",
    "option": "Alt",
    "shift": "Shift",
}
"""How a modifier may be typed, and how it is written."""
_ARROWS = ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight")
_NAMED = ("Space", "Enter", "Home", "End", "PageUp", "PageDown", "Insert", *_ARROWS)
NAMED = {name.lower(): name for name in _NAMED} | {f"f{n}": f"F{n}" for n in range(1, 13)}
"""Keys that type no character, by their names in small letters."""
RESERVED = {
    "escape": "Escape closes what is open",
    "esc": "Escape closes what is open",
    "tab": "Tab leads through the page",
}
KEPT_BY_BROWSERS = {f"Ctrl+{shift}{key}" for shift in ("", "Shift+") for key in "ntw"}


def is_single(combination: str) -> bool:
    """Whether it is pressed without Ctrl: what can be hit by accident or by dictating a word, and
    is silent for those who turn single keys off (WCAG 2.1.4)."""
    return not combination.startswith("Ctrl+")


def read(typed: str) -> str:
    """One combination as it is written here, from what a person typed. Raises `ValidationError`
    saying what to type instead."""
    *before, key = _split(typed)
    modifiers = {MODIFIERS.get(name.lower()) for name in before}
    if None in modifiers or len(modifiers) < len(before):
        raise ValidationError(f"“{typed:.40}” is no combination: write for example “Ctrl+Shift+z”.")
    key = _key(key, typed)
    if "Shift" in modifiers and len(key) == 1 and not key.isalpha():
        raise ValidationError(
            f"“{typed:.40}”: write the character that it types, for example “}}” for Shift and ]."
        )
    combination = "+".join([*(m for m in ("Ctrl", "Alt", "Shift") if m in modifiers), key])
    if combination in KEPT_BY_BROWSERS:
        raise ValidationError(f"“{combination}” never reaches the page: the browser keeps it.")
    return combination


def _split(typed: str) -> list[str]:
    """Modifiers and key; a last plus sign is the key itself."""
    if typed == "+":
        return ["+"]
    if typed.endswith("++"):
        return [*typed[:-2].split("+"), "+"]
    return typed.split("+")


def _key(key: str, typed: str) -> str:
    name = key.lower()
    if name in RESERVED:
        raise ValidationError(f"“{typed:.40}” is taken: {RESERVED[name]}.")
    if name in NAMED:
        return NAMED[name]
    if len(key) == 1 and key.isdigit():
        raise ValidationError(f"“{typed:.40}” is taken: digits give labels.")
    if len(name) != 1 or not key.isprintable() or key.isspace():
        raise ValidationError(
            f"“{typed:.40}” is no key. Put a space between two combinations, and write keys like "
            "“a”, “Space”, “ArrowDown” or “Ctrl+Enter”."
        )
    return name


def check(chosen: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """What `chosen` (combinations as typed, by action) changes of the defaults, to be kept in
    `User.keys`. Raises `ValidationError` with what is wrong by action."""
    errors: dict[str, list[str]] = {}
    keys = {action.id: list(action.keys) for action in ACTIONS}
    for action, typed in chosen.items():
        if action not in keys:
            raise ValidationError(f"“{action:.40}” is no action of the review page.")
        try:
            keys[action] = _read_all(typed)
        except ValidationError as refusal:
            keys[action], errors[action] = [], refusal.messages
    for action, said in _clashes(keys):
        errors.setdefault(action, []).append(said)
    if errors:
        raise ValidationError({action: errors[action] for action in keys if action in errors})
    return {a.id: keys[a.id] for a in ACTIONS if keys[a.id] != list(a.keys)}


def _read_all(typed: Sequence[str]) -> list[str]:
    if len(typed) > MOST:
        raise ValidationError(f"At most {MOST} combinations do one thing.")
    return list(dict.fromkeys(map(read, typed)))


def _clashes(keys: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Each action that wants a combination which another one has, and what to say of it."""
    taken: dict[str, str] = {}
    said = []
    for action, combinations in keys.items():
        for combination in combinations:
            first = taken.setdefault(combination, action)
            if first != action:
                both = f"“{BY_ID[first].title}” and “{BY_ID[action].title}”"
                words = f"“{combination}” cannot do two things: {both}."
                said += [(first, words), (action, words)]
    return said


def bindings(user: User) -> dict[str, object]:
    """`{"single_keys": whether single keys work, "keys": {action: [combination, …]}}`, for the
    page. What a person chose goes before a default: that default does nothing then, as when an
    action is new and its key was taken."""
    own = {action: list(keys) for action, keys in user.keys.items() if action in BY_ID}
    taken = {combination for combinations in own.values() for combination in combinations}
    keys = {
        action.id: own.get(action.id, [key for key in action.keys if key not in taken])
        for action in ACTIONS
    }
    return {"single_keys": user.single_keys, "keys": keys}


def reset(user: User) -> None:
    """All keys as they are by default, single ones too."""
    user.keys = {}
    user.single_keys = True
    user.save(update_fields=["keys", "single_keys"])

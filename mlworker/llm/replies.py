"""The JSON of an LLM's reply, read strictly: there is no guessing at prose or code fences."""

from __future__ import annotations

import json
from typing import Any, NoReturn

Entry = dict[str, Any]


def entries(content: str, key: str) -> list[Entry]:
    """The list under `key`, the one object of `content`: objects that each have a whole number as
    their "id". Raises `ValueError` for anything else."""
    found = _strict_json(content)
    listed = found.get(key) if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(_is_entry(entry) for entry in listed):
        raise ValueError("the LLM's answer is not of the form that was asked for")
    return listed


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and type(entry.get("id")) is int


def _strict_json(content: str) -> Any:
    try:
        return json.loads(content, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError("the LLM's answer is not JSON") from error


def _unique(pairs: list[tuple[str, Any]]) -> Entry:
    """An object of JSON; one that says two things under one key says nothing."""
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("a key is given twice")
    return keys


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

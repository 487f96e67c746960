"""What all that travels has in common: how it becomes JSON and is read again, strictly."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Self


class Message:
    """Base of all that travels: `to_json` and `from_json` are exact inverses."""

    def to_json(self) -> dict[str, Any]:
        return asdict(typing.cast("Any", self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises `ValueError` where a field is missing, unknown, or not of its type."""
        return typing.cast("Self", _decode(cls, data))


@dataclass(frozen=True)
class Work(Message):
    """What names a piece of work: its chunk, and which attempt at it this is."""

    chunk: int
    attempt: int


@dataclass(frozen=True)
class Failure(Work):
    """What a task answers when it could not do its work; `error` is fit to be shown."""

    error: str


@dataclass(frozen=True)
class Progress(Work):
    done: int
    total: int
    note: str


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode(kind: Any, value: Any) -> Any:
    """`value` (parsed JSON) as an instance of the type `kind`."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        given = next(a for a in args if a is not types.NoneType)
        return None if value is None else _decode(given, value)
    if origin is not None:
        return _decode_container(origin, args, value)
    if is_dataclass(kind):
        return _decode_message(typing.cast("type", kind), value)
    if kind is float:
        return float(_of((int, float), value))
    if issubclass(kind, StrEnum):
        return kind(value)
    return _of(kind, value)


def _decode_container(origin: Any, args: tuple[Any, ...], value: Any) -> Any:
    if origin is list:
        return [_decode(args[0], item) for item in _of(list, value)]
    if origin is dict:
        return {str(key): _decode(args[1], item) for key, item in _of(dict, value).items()}
    items = _of((list, tuple), value)
    return tuple(_decode(kind, item) for kind, item in zip(args, items, strict=True))


def _of(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"expected {kind}, not {value!r:.80}")
    return value


def _decode_message(cls: type, data: Any) -> Any:
    hints = _hints(cls)
    unknown = _of(Mapping, data).keys() - hints.keys()
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
    given = {f.name: _decode(hints[f.name], data[f.name]) for f in fields(cls) if f.name in data}
    try:
        return cls(**given)
    except TypeError as error:
        raise ValueError(f"{cls.__name__}: {error}") from error

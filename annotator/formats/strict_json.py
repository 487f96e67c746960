"""JSON rows, one to a line or in one array, refusing what Python's parser lets through."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn, TypeGuard, TypeVar

from annotator.formats.decoding import check_characters
from annotator.formats.records import NAME_LIMIT, FormatError, at_place, listed

DEPTH_LIMIT = 32
_JSON_SPACE = re.compile(r"[ \t\n\r]*")
_TYPE_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}

T = TypeVar("T")


class Row(NamedTuple):
    """An object with its line; `item` is its place in an array, 0 where it has its own line."""

    line: int
    item: int
    value: dict[str, Any]


def rows(text: str) -> Iterator[Row]:
    """The objects of a JSON array, or of lines; lines end at LF only, never at U+2028."""
    return _array_rows(text) if is_array(text) else _line_rows(text)


def is_array(text: str) -> bool:
    return text.startswith("[", _skip_space(text, 0))


def first_row(text: str) -> dict[str, Any] | None:
    """The first object of a text that is JSON, otherwise None."""
    try:
        return next(rows(text), Row(0, 0, {})).value or None
    except FormatError:
        return None


def expect(kind: type[T], value: object, what: str) -> T:
    """`value`, where it is of the type."""
    if not isinstance(value, kind):
        raise FormatError(f"{what} is {type_name(value)}, not {_TYPE_NAMES[kind]}")
    return value


def type_name(value: object) -> str:
    return "null" if value is None else _TYPE_NAMES.get(type(value), "a number")


def text_of(row: dict[str, Any], text_field: str) -> str:
    """The document's text in a row."""
    if text_field not in row:
        raise FormatError(
            f"there is no {text_field!r}; the keys are {listed(row)}",
            remedy="Name the key that holds the text.",
        )
    return expect(str, row[text_field], repr(text_field))


def pop_name(row: dict[str, Any]) -> str:
    """Takes the document's name out of a row, where it has one that fits."""
    name = row.get("name")
    if not isinstance(name, str) or len(name) > NAME_LIMIT:
        return ""
    row.pop("name")
    return name


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _line_rows(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(" \t\r"):
            with at_place(number):
                value, end = _decode(line, _skip_space(line, 0))
                if _skip_space(line, end) < len(line):
                    raise FormatError(
                        f"more text after the object, at column {end + 1}",
                        remedy="Put each document on a line of its own.",
                    )
                row = Row(number, 0, _checked(value))
            yield row


def _array_rows(text: str) -> Iterator[Row]:
    at = _skip_space(text, _skip_space(text, 0) + 1)
    line, counted, item = 1, 0, 0
    while not text.startswith("]", at):
        item += 1
        line, counted = line + text.count("\n", counted, at), at
        with at_place(line, item):
            value, at = _decode(text, at)
            row = Row(line, item, _checked(value))
            at = _next_element(text, _skip_space(text, at))
        yield row
    after = _skip_space(text, at + 1)
    if after < len(text):
        raise FormatError("more text after the array", line=text.count("\n", 0, after) + 1)


def _next_element(text: str, at: int) -> int:
    """The place of the next element, or of the array's end, from the place after an element."""
    if text.startswith(",", at):
        following = _skip_space(text, at + 1)
        if not text.startswith("]", following):
            return following
    elif text.startswith("]", at):
        return at
    line = text.count("\n", 0, at) + 1
    problem = "the array is cut off" if at == len(text) else "a comma or ] was expected"
    raise FormatError(f"broken JSON: {problem}", line=line)


def _skip_space(text: str, at: int) -> int:
    space = _JSON_SPACE.match(text, at)
    return space.end() if space else at


def _decode(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"broken JSON at column {error.colno}: {error.msg.removesuffix(' at')}",
            line=error.lineno if "\n" in text else 0,
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # int() refuses numbers that take quadratic time to read
        raise FormatError("a number has too many digits", remedy="Make it a string.") from error


def _checked(value: object) -> dict[str, Any]:
    row = expect(dict, value, "the document")
    _check(row, DEPTH_LIMIT)
    return row


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        check_characters(value)
    elif isinstance(value, (dict, list)):
        if not depth:
            raise _too_deep()
        if isinstance(value, dict):
            for key in value:
                check_characters(key)
        for child in value.values() if isinstance(value, dict) else value:
            _check(child, depth - 1)


def _too_deep() -> FormatError:
    return FormatError(f"nested too deep: the limit is {DEPTH_LIMIT} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise FormatError(f"{twice!r:.60} is given twice", remedy="Keep one of them.")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise FormatError(f"{name} is not a number in JSON", remedy="Use null or leave the key out.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise FormatError(f"the number {digits:.20} is too large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
)

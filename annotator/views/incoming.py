"""JSON that the review page sends, read strictly: what is misspelt is refused, never ignored."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, NoReturn

from django.http import HttpRequest, JsonResponse

LARGEST = 2**31 - 1
Reader = Callable[[Any, str], Any]


class Malformed(Exception):
    """The body is not what was agreed on; the message says where."""

    @property
    def answer(self) -> JsonResponse:
        return JsonResponse({"message": str(self)}, status=400)


def read_json(request: HttpRequest, fields: dict[str, Reader]) -> dict[str, Any]:
    """The body, an object of exactly these `fields`. Raises `Malformed`."""
    if request.content_type != "application/json":  # a form's body is read as such and gone
        raise Malformed("The body must be sent as application/json.")
    try:
        body = json.loads(request.body, parse_constant=_refuse)
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is no JSON that can be read.") from error
    return read_object(body, "the body", fields)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def read_object(given: Any, where: str, fields: dict[str, Reader]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Malformed(f"{where} must be an object.")
    if unknown := sorted(given.keys() - fields.keys()):
        raise Malformed(f"{where} has a field “{unknown[0]}”, which is unknown.")
    return {name: read(given.get(name), f"“{name}” of {where}") for name, read in fields.items()}


def optional(read: Reader) -> Reader:
    """As `read`, or None where the field is null or missing."""
    return lambda given, where: None if given is None else read(given, where)


def number(given: Any, where: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= LARGEST:
        raise Malformed(f"{where} must be a whole number from 0.")
    return given


def text(given: Any, where: str) -> str:
    if not isinstance(given, str) or "\0" in given:
        raise Malformed(f"{where} must be text.")
    return given


def flag(given: Any, where: str) -> bool:
    if not isinstance(given, bool):
        raise Malformed(f"{where} must be true or false.")
    return given


def identity(given: Any, where: str) -> uuid.UUID:
    try:
        return uuid.UUID(text(given, where))
    except ValueError as error:
        raise Malformed(f"{where} must be a UUID.") from error


def objects(given: Any, where: str) -> list[Any]:
    if not isinstance(given, list):
        raise Malformed(f"{where} must be a list.")
    return given

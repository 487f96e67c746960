"""What clients send: JSON bodies and query parameters, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request


class StrictJSONParser(JSONParser):
    """Refuses what is nested too deep for the stack, and text that no answer could repeat."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        try:
            data: dict[str, Any] = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("This JSON is nested too deep.") from error
        except UnicodeEncodeError as error:
            raise ParseError("This JSON holds half of a surrogate pair.") from error
        return data


class Strict(serializers.Serializer[Any]):
    """Refuses names that it does not know, so that a misspelt one is never ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError(
                {str(name): ["There is no such field."] for name in sorted(unknown, key=str)}
            )
        return super().to_internal_value(data)


class Query(Strict):
    """The query parameters of every list; more than 500 a page are never sent."""

    limit = serializers.IntegerField(min_value=1, required=False)
    offset = serializers.IntegerField(min_value=0, required=False)


def read_query(request: Request, of: type[Strict] = Query) -> dict[str, Any]:
    """The checked query parameters; 400 for unknown names and values."""
    return _checked(of(data=request.query_params))


def read_body(request: Request, of: type[Strict]) -> dict[str, Any]:
    """The checked body; 400 for unknown names and values."""
    return _checked(of(data=request.data))


def _checked(given: Strict) -> dict[str, Any]:
    given.is_valid(raise_exception=True)
    checked: dict[str, Any] = given.validated_data
    return checked

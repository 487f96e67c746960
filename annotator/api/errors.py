"""The domain's refusals as answers: a status and a JSON object whose `detail` says why."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import SuspiciousOperation, ValidationError
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import exception_handler

from annotator.decisions import Stale
from annotator.formats.records import FormatError
from annotator.importing import Duplicate
from annotator.refusals import Busy, Impossible

CONFLICTS = (Stale, Busy, Duplicate)
REFUSALS = (FormatError, Impossible, SuspiciousOperation)


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """The exception handler of the API; None leaves `error` to the server."""
    if isinstance(error, CONFLICTS):
        return Response({"detail": str(error)} | _more(error), 409)
    if isinstance(error, ValidationError):
        return Response({"detail": " ".join(error.messages)}, 400)
    if isinstance(error, REFUSALS):
        return Response({"detail": str(error)} | _more(error), 400)
    response = exception_handler(error, context)
    if response is not None and isinstance(error, serializers.ValidationError):
        names = ", ".join(response.data)
        response.data = {"detail": f"These cannot be used: {names}.", "errors": response.data}
    return response


def _more(error: Exception) -> dict[str, Any]:
    """What a client can act on."""
    match error:
        case Stale(version=version):
            return {"version": version}
        case Busy(job=job):
            return {"job": job.pk}
        case Duplicate(earlier=earlier):
            return {"earlier": earlier.pk}
        case FormatError(filename=file, line=line, item=item, remedy=remedy):
            return {"file": file, "line": line or None, "item": item or None, "remedy": remedy}
    return {}


# --- The same, for the OpenAPI document --------------------------------------------------------
class ProblemSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(help_text="Why, in plain words.")


class RefusalSerializer(ProblemSerializer):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # Declared as an attribute it would shadow the serializer's own `errors`.
        errors = serializers.DictField(required=False, help_text="What is wrong with which field.")
        return super().get_fields() | {"errors": errors}


class StaleSerializer(ProblemSerializer):
    version = serializers.IntegerField(help_text="Where the document is now.")


class BusySerializer(ProblemSerializer):
    job = serializers.IntegerField(help_text="The job of this kind that is running.")


class DuplicateSerializer(ProblemSerializer):
    earlier = serializers.IntegerField(help_text="The import that brought the same file.")


class UnreadableSerializer(RefusalSerializer):
    file = serializers.CharField(required=False)
    line = serializers.IntegerField(required=False, allow_null=True, help_text="From 1.")
    item = serializers.IntegerField(
        required=False, allow_null=True, help_text="Element of a JSON array, from 1."
    )
    remedy = serializers.CharField(required=False, allow_blank=True)


REFUSED = {400: RefusalSerializer}
HIDDEN = {403: ProblemSerializer, 404: ProblemSerializer}
"""403 for who is not signed in or lacks the role, 404 for what is not in one's projects."""

"""Decisions about mentions, each recorded once however often it is sent."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotator import pipeline, review
from annotator.decisions import ACTIONS, Decision
from annotator.models import Correction, Document

from .access import find_document, read_document, user_of
from .errors import HIDDEN, REFUSED, StaleSerializer
from .incoming import Strict, read_body
from .mentions import MentionSerializer


class SubmissionSerializer(Strict):
    id = serializers.UUIDField(
        help_text="Made by you. A decision sent twice with one id is recorded once."
    )
    version = serializers.IntegerField(
        min_value=0, help_text="The version of the document that you decide about."
    )


class DecisionSerializer(SubmissionSerializer):
    action = serializers.ChoiceField(ACTIONS)
    mention = serializers.IntegerField(
        min_value=1, required=False, help_text="What you decide about; all actions but add."
    )
    start = serializers.IntegerField(
        min_value=0, required=False, help_text="In code points; resize and add."
    )
    end = serializers.IntegerField(
        min_value=0, required=False, help_text="In code points; resize and add."
    )
    label = serializers.CharField(  # type: ignore[assignment]
        required=False, trim_whitespace=False, help_text="Relabel and add; if you like, accept."
    )


class DecidedSerializer(serializers.ModelSerializer[Document]):
    """The document as it stands now."""

    mentions = MentionSerializer(many=True, read_only=True)

    class Meta:
        model = Document
        fields = ["id", "status", "version", "mentions"]
        read_only_fields = fields


RESPONSES: dict[int, Any] = {
    200: DecidedSerializer,
    201: DecidedSerializer,
    **REFUSED,
    **HIDDEN,
    409: StaleSerializer,
}


class DecisionsView(APIView):
    @extend_schema(request=DecisionSerializer, responses=RESPONSES)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Decides about one mention. 200 instead of 201 where this id was recorded before; 409
        where the document has moved on, with the version that it is at."""
        document = find_document(request, slug, pk)
        decision = Decision(**read_body(request, DecisionSerializer))
        status = _status(request, decision.id)
        review.decide(document, user_of(request), decision)
        return Response(DecidedSerializer(read_document(request, slug, pk)).data, status)


class SubmitView(APIView):
    @extend_schema(request=SubmissionSerializer, responses=RESPONSES)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Confirms what nobody decided as it is shown, and makes the document gold."""
        document = find_document(request, slug, pk)
        given = read_body(request, SubmissionSerializer)
        status = _status(request, given["id"])
        review.submit(document, user_of(request), **given)
        pipeline.retrain_soon(document.project)
        return Response(DecidedSerializer(read_document(request, slug, pk)).data, status)


def _status(request: Request, id: uuid.UUID) -> int:
    """200 where a decision of this id is recorded already, else 201."""
    return 200 if Correction.objects.for_user(user_of(request)).filter(pk=id).exists() else 201

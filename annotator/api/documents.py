"""Documents: the list, one with its mentions, the next to review, and files that come in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import F
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotator import pipeline, queue
from annotator.formats import FORMATS
from annotator.importing import import_file
from annotator.models import Document, Import
from annotator.models.documents import DocumentQuerySet

from .access import find_managed, find_project, read_document, user_of
from .errors import HIDDEN, REFUSED, DuplicateSerializer, UnreadableSerializer
from .incoming import Query, Strict, read_body, read_query
from .mentions import MentionSerializer

OFFSET_UNIT = "code_point"
ORDERINGS: dict[str, list[Any]] = {
    "position": ["pk"],
    "queue": [*queue.ORDERS[queue.Order.EXPECTED]],
    "reviewed": [F("reviewed_at").desc(nulls_last=True), "pk"],
}


class DocumentQuerySerializer(Query):
    status = serializers.ChoiceField(Document.Status.choices, required=False)
    split = serializers.ChoiceField(Document.Split.choices, required=False)
    ordering = serializers.ChoiceField(list(ORDERINGS), default="position")


class NextQuerySerializer(Strict):
    after = serializers.IntegerField(
        min_value=1, required=False, help_text="The document that you come from."
    )


class DocumentRowSerializer(serializers.ModelSerializer[Document]):
    reviewed_by = serializers.CharField(source="reviewed_by.username", allow_null=True)

    class Meta:
        model = Document
        fields = [
            "id",
            "name",
            "status",
            "split",
            "version",
            "length",
            "needs_count",
            "priority",
            "reviewed_by",
            "reviewed_at",
            "created_at",
        ]
        read_only_fields = fields


class DocumentSerializer(DocumentRowSerializer):
    offset_unit = serializers.SerializerMethodField(help_text="What every offset counts.")
    mentions = MentionSerializer(many=True, read_only=True)

    class Meta(DocumentRowSerializer.Meta):
        fields = [*DocumentRowSerializer.Meta.fields, "text", "meta", "offset_unit", "mentions"]
        read_only_fields = fields

    def get_offset_unit(self, _: Document) -> str:
        return OFFSET_UNIT


class NextSerializer(serializers.Serializer[Any]):
    document = DocumentSerializer(allow_null=True)


class UploadSerializer(Strict):
    file = serializers.FileField(allow_empty_file=True)
    format = serializers.ChoiceField(
        list(FORMATS), required=False, help_text="Recognised by itself where it is left out."
    )
    gold = serializers.BooleanField(default=False)
    split = serializers.ChoiceField(Document.Split.choices, default=Document.Split.NONE)
    text_column = serializers.CharField(
        required=False, trim_whitespace=False, help_text="CSV only."
    )


class ImportSerializer(serializers.ModelSerializer[Import]):
    notes = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Import
        fields = ["id", "filename", "format", "documents_count", "notes", "created_at"]
        read_only_fields = fields


class DocumentsView(ListAPIView[Document]):
    serializer_class = DocumentRowSerializer
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> DocumentQuerySet:
        project = find_project(self.request, self.kwargs["slug"])
        asked = read_query(self.request, DocumentQuerySerializer)
        rows = Document.objects.for_user(user_of(self.request)).filter(project=project)
        if "status" in asked:
            rows = rows.filter(status=asked["status"])
        if "split" in asked:
            rows = rows.filter(split=asked["split"])
        rows = rows.order_by(*ORDERINGS[asked["ordering"]])
        return rows.select_related("reviewed_by").without_text()

    @extend_schema(
        parameters=[DocumentQuerySerializer],
        responses={200: DocumentRowSerializer(many=True), **REFUSED, **HIDDEN},
    )
    def get(self, request: Request, slug: str) -> Response:
        """The documents of a project, without their text."""
        return self.list(request)

    @extend_schema(
        request={"multipart/form-data": UploadSerializer},
        responses={
            201: ImportSerializer,
            400: UnreadableSerializer,
            409: DuplicateSerializer,
            **HIDDEN,
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        """Brings in a file: all of its documents, or none and the line that stands in the way."""
        project = find_managed(request, slug)
        given = read_body(request, UploadSerializer)
        file = given.pop("file")
        # One byte more than allowed is enough for the importer to refuse it.
        data = file.read(settings.UPLOAD_LIMIT + 1)
        done = import_file(project, filename=file.name, data=data, user=user_of(request), **given)
        pipeline.read_new_documents(project, user_of(request))
        return Response(ImportSerializer(done).data, 201)


class DocumentView(APIView):
    @extend_schema(responses={200: DocumentSerializer, **HIDDEN})
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One document with its mentions."""
        return Response(DocumentSerializer(read_document(request, slug, pk)).data)


class NextView(APIView):
    @extend_schema(
        parameters=[NextQuerySerializer], responses={200: NextSerializer, **REFUSED, **HIDDEN}
    )
    def get(self, request: Request, slug: str) -> Response:
        """The document to review next, the most uncertain first; null where none is left."""
        project = find_project(request, slug)
        asked = read_query(request, NextQuerySerializer)
        mine = Document.objects.for_user(user_of(request)).filter(project=project)
        after = get_object_or_404(mine, pk=asked["after"]) if "after" in asked else None
        found = queue.next_document(project, after)
        document = found and read_document(request, slug, found.pk)
        return Response(NextSerializer({"document": document}).data)

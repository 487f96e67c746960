"""Gold and suggestions go out, as a file."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from annotator import exporting
from annotator.views.exports import attachment

from .access import find_managed
from .errors import HIDDEN

NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, enum=list(exporting.FORMATS))


class ExportView(APIView):
    @extend_schema(parameters=[NAME], responses={(200, "*/*"): OpenApiTypes.BINARY, **HIDDEN})
    def get(self, request: Request, slug: str, name: str) -> StreamingHttpResponse:
        """The whole project as a file in the format `name`, piece by piece."""
        return attachment(find_managed(request, slug), name)

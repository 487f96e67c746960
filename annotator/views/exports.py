"""Gold goes out."""

from __future__ import annotations

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator import exporting
from annotator.models import Project

from .access import Request, find_managed, project_context


@require_safe
@never_cache
def exports(request: Request, slug: str) -> HttpResponse:
    project = find_managed(request, slug)
    context = project_context(request, project, "exports") | {
        "formats": exporting.FORMATS,
        "gold_count": project.documents.gold().count(),
        "documents_count": project.documents.count(),
    }
    return TemplateResponse(request, "exports.html", context)


@require_safe
@never_cache
def download(request: Request, slug: str, name: str) -> HttpResponseBase:
    return attachment(find_managed(request, slug), name)


def attachment(project: Project, name: str) -> StreamingHttpResponse:
    """The project as a file that no browser runs, written while it is read; 404 for a format
    that is not written."""
    if name not in exporting.FORMATS:
        raise Http404
    written = exporting.FORMATS[name]
    response = StreamingHttpResponse(
        exporting.export(project, name), content_type=written.content_type
    )
    filename = f"{project.slug}-{timezone.now():%Y-%m-%d}.{written.extension}"
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response

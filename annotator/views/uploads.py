"""A file comes in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from annotator import importing, pipeline
from annotator.formats.records import FormatError
from annotator.forms import UploadForm
from annotator.models import Import, Project

from .access import Request, find_managed, project_context


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def upload(request: Request, slug: str) -> HttpResponse:
    project = find_managed(request, slug)
    form = UploadForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        done = _import(request, project, form)
        if done is not None:
            return _finished(request, project, done)
    context = project_context(request, project, "upload") | {
        "form": form,
        "imports": project.imports.order_by("-pk")[:10],
    }
    template = "upload.html#form" if request.htmx else "upload.html"
    return TemplateResponse(request, template, context, status=422 if form.is_bound else 200)


def _import(request: Request, project: Project, form: UploadForm) -> Import | None:
    """The import, or None with the reason on the form."""
    given = form.cleaned_data
    try:
        return importing.import_file(
            project,
            filename=given["file"].name,
            data=given["file"].read(),
            format=given["format"] or None,
            gold=given["gold"],
            split=given["split"],
            user=request.user,
            text_column=given["text_column"] or None,
        )
    except (FormatError, importing.Duplicate) as error:
        form.add_error("file", str(error))
    return None


def _finished(request: Request, project: Project, done: Import) -> HttpResponse:
    pipeline.read_new_documents(project, request.user)
    messages.success(request, f"{done.filename}: {done.counted} came in.")
    for note in done.notes[:10]:
        messages.info(request, note)
    to = redirect("annotator:upload", slug=project.slug)
    return HttpResponseClientRedirect(to.url) if request.htmx else to

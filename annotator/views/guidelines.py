"""The guidelines of a project: read beside the text or on a page of their own, and changed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotator.guidelines import GuidelinesForm, examples_of

from .access import Request, find_managed, find_project, project_context
from .shown import choices


@require_safe
@never_cache
def guidelines(request: Request, slug: str) -> HttpResponse:
    """A page; for a script (htmx's header) the dialog alone."""
    project = find_project(request, slug)
    context = project_context(request, project, "guidelines")
    context["labels"] = [(choice, examples_of(choice.label)) for choice in choices(project)]
    template = "guidelines.html#dialog" if request.htmx else "guidelines.html"
    return TemplateResponse(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def edit_guidelines(request: Request, slug: str) -> HttpResponse:
    project = find_managed(request, slug)
    form = GuidelinesForm(project, request.POST if request.method == "POST" else None)
    if form.is_valid():
        form.save()
        messages.success(request, "The guidelines are saved.")
        return redirect("annotator:guidelines", slug=slug)
    context = project_context(request, project, "guidelines") | {"form": form}
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "edit_guidelines.html", context, status=status)

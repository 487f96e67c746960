"""Having sentences read whole: how many, what that may cost, and what is made of it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotator import suggestions
from annotator.figures import sweep_figures
from annotator.forms import ReadingForm
from annotator.outlook import outlook

from .access import Request, find_managed


@require_safe
@never_cache
def reading_outlook(request: Request, slug: str) -> HttpResponse:
    """A fragment: what reading the share that is typed in would take."""
    project = find_managed(request, slug)
    if not project.asks_server:
        raise Http404("Nothing reads sentences here.")
    form = ReadingForm(project, request.GET.dict() | {"sure": "90", "fusion": project.fusion})
    if not form.is_valid():
        return HttpResponseBadRequest("A share is a number from 0 to 100.")
    context = {
        "outlook": outlook(project, form.cleaned_data["sweep_share"]),
        "figures": sweep_figures(project),
        "project": project,
        "currency": settings.LLM_CURRENCY,
    }
    return TemplateResponse(request, "reading.html#outlook", context)


@require_POST
def choose_reading(request: Request, slug: str) -> HttpResponse:
    """Saves how much is read and how it is weighed; what follows from that is shown at once."""
    project = find_managed(request, slug)
    form = ReadingForm(project, request.POST)
    if not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{form.fields[name].label}: {' '.join(map(str, errors))}")
        return redirect("annotator:project", slug=slug)
    form.save()
    if {"fusion", "sure"} & set(form.changed_data):
        suggestions.refresh_under_review(project)
    messages.success(request, "Saved.")
    if "sweep_share" in form.changed_data and project.sweep_share:
        messages.info(
            request,
            "Reading begins the next time that the LLM is asked; “Have sentences read” on the "
            "model page begins it now.",
        )
    return redirect("annotator:project", slug=slug)

"""What the LLM cost a project, request by request, and what it brought."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.db.models.functions import Substr
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotator import bought, checked, frontier, linking, spending, statement
from annotator.models import LLMCall, Project

from .access import Request, find_managed, find_project, project_context
from .plot import Plot

PER_PAGE = 25
UNKNOWN_SHOWN = 10


@require_safe
@never_cache
def ledger(request: Request, slug: str) -> HttpResponse:
    project = find_project(request, slug)
    context = project_context(request, project, "ledger")
    context |= _spent(project) | _brought(project) | _requests(project, request)
    return TemplateResponse(request, "ledger.html", context)


def _spent(project: Project) -> dict[str, object]:
    found = statement.statement(project)
    months = statement.months(project)
    unknown = found.of(LLMCall.State.UNKNOWN)
    return {
        "statement": found,
        "this_month": months[0],
        "months": months,
        "unknown": unknown,
        "unknown_calls": statement.calls(project, LLMCall.State.UNKNOWN)[:UNKNOWN_SHOWN],
        "currency": settings.LLM_CURRENCY,
        "priced": bool(found.total.micros) or spending.price_of(project) is not None,
    }


def _brought(project: Project) -> dict[str, object]:
    rows = checked.rows(project)
    choices = frontier.choices(project)
    return {
        "rows": rows,
        "all_rows": sum((row.bought for row in rows), bought.Bought()),
        "checked_count": checked.documents(project).count(),
        "choices": choices,
        "plot": Plot.of(choices) if choices else None,
        "held_out_count": project.documents.held_out().count(),
    }


def _requests(project: Project, request: Request) -> dict[str, object]:
    state = request.GET.get("state", "")
    state = state if state in LLMCall.State.values else ""
    calls = Paginator(statement.calls(project, state), PER_PAGE)
    return {"state": state, "page": calls.get_page(request.GET.get("page"))}


@require_safe
@never_cache
def call(request: Request, slug: str, pk: int) -> HttpResponse:
    """One request: what it was about, what it took, and what came back, as it came."""
    project = find_project(request, slug)
    found = get_object_or_404(project.llm_calls, pk=pk)
    words = Substr("document__text", F("start") + 1, F("end") - F("start"))
    context = project_context(request, project, "ledger") | {
        "call": found,
        "questions": found.answers.annotate(words=words).order_by("document", "start"),
        "sentences": found.sentences.annotate(words=words),
        "currency": settings.LLM_CURRENCY,
    }
    return TemplateResponse(request, "call.html", context)


@require_POST
def ask_about(request: Request, slug: str, pk: int) -> HttpResponse:
    """Stops asking the LLM about spans of a label, or asks about them again."""
    project = find_managed(request, slug)
    label = get_object_or_404(project.labels.select_related("project__serving"), pk=pk)
    ask = request.POST.get("ask")
    if ask not in ("yes", "no"):
        return HttpResponseBadRequest("Say yes or no.")
    linking.ask_about(label, ask == "yes")
    if ask == "yes":
        said = (
            f"The LLM is asked about {label} again. “Ask the LLM” on the model page asks now what "
            "was left out."
        )
    else:
        said = f"The LLM is not asked about {label} any more. Such spans go to people."
    messages.success(request, said)
    return redirect("annotator:ledger", slug=slug)

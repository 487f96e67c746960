"""The list of projects, a new project, and the page of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.forms import BaseFormSet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator import history, pipeline, spending, training
from annotator.asked import own_llm
from annotator.figures import labels_counted, project_figures, sweep_figures
from annotator.forms import LabelRows, LLMForm, ProjectForm, ReadingForm
from annotator.models import Document, Price, Project
from annotator.presets import PRESETS, labels_of

from .access import Request, find_managed, find_project, project_context
from .activity import activity_context
from .figures_of_work import sparkline

GOLD = Document.Status.GOLD


@require_safe
@never_cache
def projects(request: Request) -> HttpResponse:
    mine = Project.objects.for_user(request.user).select_related("serving")
    waiting = Q(documents__status=Document.Status.TAGGED, documents__needs_count__gt=0)
    rows = mine.annotate(
        documents_total=Count("documents"),
        gold_total=Count("documents", filter=Q(documents__status=GOLD)),
        waiting_total=Count("documents", filter=waiting),
    )
    return TemplateResponse(request, "projects.html", {"projects": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def new_project(request: Request) -> HttpResponse:
    if not request.user.is_superuser:
        raise PermissionDenied("Only operators create projects.")
    rows = LabelRows(request.POST or None, prefix="labels")
    form = ProjectForm(request.POST or None, rows=rows)
    if "fill" in request.POST:
        return _with_preset(request, request.POST.get("preset", ""))
    if form.is_valid():
        project = form.save(request.user)
        messages.success(request, f"{project.name} is there. Now bring in some text.")
        return redirect("annotator:upload", slug=project.slug)
    return _new_project_page(request, form, rows)


def _with_preset(request: Request, preset: str) -> HttpResponse:
    """The form as it was typed so far, its labels those of a preset."""
    labels = labels_of(preset) if preset in PRESETS else []
    filled = [{"name": label.name, "description": label.description} for label in labels]
    rows = LabelRows(initial=filled, prefix="labels")
    form = ProjectForm(initial=request.POST.dict() | {"pasted": ""}, rows=rows)
    return _new_project_page(request, form, rows)


def _new_project_page(request: Request, form: ProjectForm, rows: BaseFormSet[Any]) -> HttpResponse:
    context = {"form": form, "rows": rows, "llm_host": llm_host(), "own_llm": own_llm()}
    return TemplateResponse(
        request, "new_project.html", context, status=422 if form.is_bound else 200
    )


@require_safe
@never_cache
def project(request: Request, slug: str) -> HttpResponse:
    """The page of a project; htmx polls its live part, quickly while a job runs."""
    found = find_project(request, slug)
    context = project_context(request, found, "project") | activity_context(found)
    figures = project_figures(found)
    context |= {"figures": figures, "step": _next_step(found)}
    context |= {
        "threshold": found.threshold(),
        "labels": labels_counted(found),
        "spark": sparkline(history.days(found, [], timezone.localdate())),
        "missing": training.documents_missing(found),
        "until_due": training.documents_until_due(found),
        "swept": sweep_figures(found) if found.sweep_share else None,
    }
    if request.htmx:
        return TemplateResponse(request, "project.html#live", context)
    context |= {
        "llm_form": LLMForm(found),
        "reading_form": ReadingForm(found),
        "llm_host": llm_host(),
        "spending": spending.this_month(found),
        "price": Price.on(settings.LLM_MODEL, timezone.localdate()),
        "currency": settings.LLM_CURRENCY,
    }
    return TemplateResponse(request, "project.html", context)


def _next_step(found: Project) -> str:
    """The one thing to do now: what the page offers as its main button."""
    documents = found.documents.all()
    if found.jobs.running().exists():
        return "review" if documents.needing_people().exists() else "wait"
    if not documents.exists():
        return "upload"
    if found.serving is None:
        return "annotate" if training.documents_missing(found) else "train"
    if documents.needing_people().exists():
        return "review"
    if documents.unread_by(found.serving).exclude(status=GOLD).exists():
        return "tag"
    return "confirm" if documents.to_review().exists() else "export"


def llm_host() -> str:
    """The host that would be sent text; empty where no LLM is set up. A name and password in its
    address are the operator's alone."""
    return str(urlsplit(settings.LLM_BASE_URL).netloc).rpartition("@")[2]


@require_POST
def choose_llm(request: Request, slug: str) -> HttpResponse:
    found = find_managed(request, slug)
    form = LLMForm(found, request.POST)
    if not form.is_valid():
        wrong_budget = form.errors.get("monthly_budget")
        said = " ".join(map(str, wrong_budget)) if wrong_budget else "That cannot be chosen here."
        messages.error(request, said)
    else:
        found.provider = form.cleaned_data["provider"]
        found.monthly_budget = form.cleaned_data["monthly_budget"]
        found.save(update_fields=["provider", "monthly_budget"])
        if "provider" in form.changed_data:
            pipeline.judge_anew(found, request.user)
        messages.success(request, _llm_chosen(found))
    return redirect("annotator:project", slug=slug)


def _llm_chosen(found: Project) -> str:
    most = found.monthly_budget
    limit = (
        "No monthly limit" if most is None else f"At most {most} {settings.LLM_CURRENCY} a month"
    )
    return f"Saved. LLM: {found.get_provider_display()}. {limit}."

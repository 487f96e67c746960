"""The local model of a project: its versions and thresholds, and the jobs that make them."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotator import pipeline, remaining, steps, training
from annotator.figures import predicted, routed, sweep_figures
from annotator.forms import LearningForm
from annotator.models import Job, Project, Threshold
from annotator.refusals import Busy, Impossible

from .access import Request, find_managed, find_project, project_context
from .activity import activity_context

NEWEST_FIRST = Prefetch("thresholds", Threshold.objects.order_by("-pk"))


@require_safe
@never_cache
def model(request: Request, slug: str) -> HttpResponse:
    project = find_project(request, slug)
    context = project_context(request, project, "model") | activity_context(project)
    context |= {
        "threshold": project.threshold(),
        "sent": routed(project).count(),
        "swept": sweep_figures(project),
        "predicted": predicted(project).count(),
        "versions": project.versions.select_related("start").prefetch_related(NEWEST_FIRST),
        "cold_every": training.COLD_EVERY,
        "jobs": [(job, remaining.took(job)) for job in project.jobs.all()[:15]],
        "gold_count": project.documents.gold().count(),
        "held_out_count": project.documents.held_out().count(),
    }
    if request.htmx:
        return TemplateResponse(request, "model.html#live", context)
    context["form"] = LearningForm(instance=project)
    return TemplateResponse(request, "model.html", context)


@require_POST
def choose_learning(request: Request, slug: str) -> HttpResponse:
    """Saves how the model learns and measures; documents not read so yet are read at once."""
    project = find_managed(request, slug)
    form = LearningForm(request.POST, instance=project)
    if form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        if "method" in form.changed_data:
            _follow_method(project, request)
        elif "questions_per_100" in form.changed_data:
            _choose_tau(project, request)
    else:
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
    return redirect("annotator:model", slug=slug)


def _follow_method(project: Project, request: Request) -> None:
    """What was not read by it yet is read; where nothing is left, what it said counts again."""
    if pipeline.read_new_documents(project, request.user):
        messages.info(request, "The documents are being read again.")
    else:
        pipeline.judge_anew(project, request.user)


def _choose_tau(project: Project, request: Request) -> None:
    """By the budget that was set; from held-out gold where it was taken away."""
    if project.questions_per_100 is not None:
        pipeline.keep_budget(project)
        return
    try:
        pipeline.start(project, Job.Kind.RECALIBRATE, request.user)
    except (Busy, Impossible) as refusal:
        messages.error(request, f"τ stays as the budget left it. {refusal}")


@require_POST
def start(request: Request, slug: str) -> HttpResponse:
    project = find_managed(request, slug)
    kind = request.POST.get("kind", "")
    if kind not in Job.Kind.values:
        return HttpResponseBadRequest("No such job.")
    try:
        pipeline.start(project, steps.first_step(project, kind), request.user)
    except (Busy, Impossible) as refusal:
        messages.error(request, str(refusal))
    return redirect(_back(request), slug=slug)


@require_POST
def cancel(request: Request, slug: str, pk: int) -> HttpResponse:
    return _act(request, slug, pk, pipeline.cancel, "was cancelled. What it finished is kept.")


@require_POST
def pause(request: Request, slug: str, pk: int) -> HttpResponse:
    return _act(request, slug, pk, pipeline.pause, "is paused. Nothing more of it is sent.")


@require_POST
def resume(request: Request, slug: str, pk: int) -> HttpResponse:
    return _act(request, slug, pk, pipeline.resume, "goes on.")


def _act(
    request: Request, slug: str, pk: int, act: Callable[[Job], bool], said: str
) -> HttpResponse:
    """Where it comes too late, nothing is said: the page shows how the job stands."""
    project = find_managed(request, slug)
    job = get_object_or_404(project.jobs, pk=pk)
    if act(job):
        messages.info(request, f"{job.get_kind_display()} {said}")
    return redirect(_back(request), slug=slug)


def _back(request: Request) -> str:
    """The page the button was on."""
    back = request.POST.get("back")
    return f"annotator:{back}" if back in ("project", "prompt") else "annotator:model"

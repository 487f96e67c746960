"""What the LLM is told: the prompt in use, what is sent about a span, and a prompt to try."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator import asked, pipeline, prompts, spending, sweeping, trying
from annotator.figures import routed
from annotator.forms import PromptForm
from annotator.models import Job, Project, Prompt
from annotator.refusals import Busy, Impossible
from annotator.swept import whom_sweeps
from mlworker import schema
from mlworker.llm.prompt import BUILT_IN, SLOT, build, built_in

from .access import Request, find_managed, project_context
from .activity import activity_context

QUESTIONS = {name: form for name, form in BUILT_IN.items() if form in Prompt.Form.values}
"""The built-in prompts that a project's own may begin with."""
SPANS = 50
"""Routed spans to choose from, the most doubtful ones."""


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def prompt(request: Request, slug: str) -> HttpResponse:
    """The page; POST makes a changed prompt, and with `try` in it tries it at once."""
    project = find_managed(request, slug)
    form = PromptForm(request.POST or None, initial=_begun_with(project, request.GET.get("from")))
    made = form.save(project, request.user) if form.is_valid() else None
    if made is not None:
        messages.success(request, f"Prompt {made.number} is kept.")
        if "try" in request.POST:
            _try(request, project, made)
        return redirect("annotator:prompt", slug=slug)
    context = project_context(request, project, "prompt") | activity_context(project)
    if request.htmx:
        return TemplateResponse(request, "prompt.html#live", context | _trial(project))
    context |= _trial(project) | _in_use(project) | _about_span(request, project)
    context |= {"form": form, "prompts": project.prompts.select_related("created_by")}
    return TemplateResponse(request, "prompt.html", context, status=422 if form.is_bound else 200)


@require_POST
def use_prompt(request: Request, slug: str) -> HttpResponse:
    """Takes a prompt into use; without a number the built-in one."""
    project = find_managed(request, slug)
    chosen = _chosen(request, project) if request.POST.get("number") else None
    prompts.take_into_use(project, chosen)
    pipeline.judge_anew(project, request.user)
    messages.success(
        request,
        f"From now on the LLM is asked with {chosen or built_in_name()}. What it was not asked in "
        "these words yet, it is asked the next time; “Ask the LLM” on the model page does it now.",
    )
    return redirect("annotator:prompt", slug=slug)


@require_POST
def try_prompt(request: Request, slug: str) -> HttpResponse:
    project = find_managed(request, slug)
    _try(request, project, _chosen(request, project))
    return redirect("annotator:prompt", slug=slug)


@require_POST
def discard_trial(request: Request, slug: str) -> HttpResponse:
    """Ends the trial, also one that is still asking and paying; the prompt stays in the list, and
    what was answered stays known."""
    project = find_managed(request, slug)
    project.trials.update(is_over=True)
    for job in project.jobs.active().filter(kind=Job.Kind.TRIAL):
        pipeline.cancel(job)
    return redirect("annotator:prompt", slug=slug)


def built_in_name() -> str:
    return f"the built-in prompt {schema.PROMPT}"


def _chosen(request: Request, project: Project) -> Prompt:
    number = request.POST.get("number", "")
    if not (number.isascii() and number.isdigit() and len(number) < 9):
        raise Http404("No such prompt.")
    found: Prompt = get_object_or_404(project.prompts, number=int(number))
    return found


def _try(request: Request, project: Project, chosen: Prompt) -> None:
    try:
        pipeline.try_prompt(project, chosen, request.user)
    except (Busy, Impossible) as refusal:
        messages.error(request, f"It cannot be tried. {refusal}")


def _begun_with(project: Project, name: str | None) -> dict[str, object]:
    """What a changed prompt begins with: a built-in one, or the one in use."""
    own = project.prompt if name not in QUESTIONS else None
    base = built_in(name) if name in QUESTIONS else asked.sent(own)
    return {
        "form": base.form.value,
        "text": base.text,
        "shots": own.shots if own and own.per_label else Prompt.Shots.RANDOM,
        "per_label": own.per_label if own else 0,
    }


def _in_use(project: Project) -> dict[str, object]:
    reader = whom_sweeps(project)
    return {
        "in_use": asked.sent(project.prompt),
        "together": asked.together(project.prompt),
        "version": asked.whom(project).prompt_version,
        "built_ins": QUESTIONS,
        "reading": build(sweeping.ask_to_read(project, reader)) if project.sweep_share else None,
        "built_in": schema.PROMPT,
        "set_up": project.provider in asked.set_up(),
        "trial_spans": trying.SPANS,
        "most_shots": prompts.MOST_SHOTS,
        "most_nearest": schema.NEAREST,
        "slot": SLOT,
    }


def _trial(project: Project) -> dict[str, object]:
    """The newest trial, until somebody takes up its prompt or discards it."""
    trial = project.trials.filter(is_over=False).first()
    return {
        "results": trying.results(trial) if trial else None,
        "currency": settings.LLM_CURRENCY,
        "price": spending.price_of(project),
    }


def _about_span(request: Request, project: Project) -> dict[str, object]:
    """The messages about the span that was chosen, else about the most doubtful one."""
    spans = routed(project).select_related("tagging__document").order_by("-uncertainty", "pk")
    choices = list(spans[:SPANS])
    wanted = request.GET.get("span", "")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 19):
        raise Http404("No such span.")
    chosen = prompts.find_span(project, int(wanted)) if wanted else next(iter(choices), None)
    if wanted and chosen is None:
        raise Http404("No such span.")
    if chosen is not None and chosen not in choices:
        choices.insert(0, chosen)
    shown, refusal = None, ""
    try:
        shown = prompts.show(project, chosen) if chosen else None
    except ValueError as error:
        refusal = str(error)
    return {"shown": shown, "refusal": refusal, "spans": choices, "wanted": wanted}

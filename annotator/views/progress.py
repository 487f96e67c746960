"""How a project goes, in figures: each drawn, said in a sentence, and given as a table."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator import agreement, checked, history, reliability, statement
from annotator.figures import labels_counted
from annotator.history import Work
from annotator.models import Project

from . import figures_of_agreement, figures_of_llm, figures_of_machine, figures_of_work
from .access import Request, find_project, project_context
from .figure import Figure, Part


@require_safe
@never_cache
def progress(request: Request, slug: str) -> HttpResponse:
    project = find_project(request, slug)
    done = history.work(project)
    days = history.days(project, done, timezone.localdate())
    documents = project.documents.count()
    context = project_context(request, project, "progress") | {
        "documents": documents,
        "parts": [
            Part("Work", [figures_of_work.over_time(days, documents), *_of_work(project, done)]),
            Part("Local model", _of_machine(project)),
            Part("LLM", _of_llm(project)),
        ],
    }
    return TemplateResponse(request, "progress.html", context)


def _of_work(project: Project, done: Sequence[Work]) -> list[Figure]:
    return [
        figures_of_work.label_counts(list(labels_counted(project))),
        figures_of_work.how_decided(history.share(done)),
        figures_of_work.throughput(history.people(done, history.minutes(project))),
        figures_of_agreement.agreement(
            agreement.with_local(project),
            agreement.with_llm(project),
            agreement.with_earlier(project),
        ),
    ]


def _of_machine(project: Project) -> list[Figure]:
    threshold = project.threshold()
    found = reliability.outcomes(project) if threshold else []
    doubts = reliability.doubts(project, threshold.tau) if threshold else []
    return [
        figures_of_machine.uncertainty(project, doubts, threshold),
        figures_of_machine.calibration(reliability.tenths(found), len(found), threshold),
        figures_of_machine.risk(found, threshold),
    ]


def _of_llm(project: Project) -> list[Figure]:
    ledger = reverse("annotator:ledger", args=[project.slug])
    currency = settings.LLM_CURRENCY
    return [
        figures_of_llm.spending(statement.months(project), currency, ledger),
        figures_of_llm.value(checked.rows(project), currency, ledger),
    ]

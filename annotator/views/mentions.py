"""All mentions of a project, each in its sentence, found and sorted by what is known of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator import finding
from annotator.finding import ORDERS, STATES, Search
from annotator.models import Mention
from annotator.triage import in_sentences

from . import address
from .access import Request, find_project, project_context
from .shown import Shown

PER_PAGE = 25


@require_safe
@never_cache
def mentions(request: Request, slug: str) -> HttpResponse:
    project = find_project(request, slug)
    search, state, order = _search(request), request.GET.get("state", ""), request.GET.get("order")
    state, order = state if state in STATES else "", order if order in ORDERS else "unsure"
    rows = finding.found(project, search)
    counts = finding.counts(rows)
    paginator = Paginator(finding.in_order(rows, state, order), PER_PAGE)
    paginator.count = counts[state]
    page = paginator.get_page(request.GET.get("page"))
    shown = cast("QuerySet[Mention]", page.object_list)
    context = project_context(request, project, "documents") | {
        "page": page,
        "rows": [(row, Shown(row.mention)) for row in in_sentences(shown)],
        "search": search,
        "state": state,
        "order": order,
        "is_filtered": bool(state) or any(asdict(search).values()),
        "filters": [(name, title, counts[name]) for name, (title, _) in STATES.items()],
        "orders": [(name, title) for name, (title, _) in ORDERS.items()],
        "labels": project.labels.all(),
        "sources": Mention.Source.choices,
        "versions": project.versions.order_by("-number").values_list("number", flat=True),
    }
    template = "mentions.html#list" if request.htmx else "mentions.html"
    return TemplateResponse(request, template, context)


def _search(request: Request) -> Search:
    asked = {name: address.words(str(value)) for name, value in request.GET.items()}
    source = asked.get("source", "")
    return Search(
        label=asked.get("label", ""),
        source=source if source in Mention.Source.values else "",
        version=address.row(asked.get("version")) or None,
        low=_share(asked.get("low", "")),
        high=_share(asked.get("high", "")),
        words=asked.get("words", ""),
    )


def _share(given: str) -> float | None:
    """A number from 0 to 1; None where it is none."""
    try:
        number = float(given[:20])
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None

"""The documents of a project, found by words, status and what people said of them."""

from __future__ import annotations

from collections.abc import Collection

from django.core.paginator import Paginator
from django.db.models import Count
from django.db.models.functions import Substr
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator.models import Document
from annotator.models.documents import DocumentQuerySet

from . import address
from .access import Request, find_project, project_context

PER_PAGE = 25
OPENING = 440
"""Characters of a text that are loaded: the page shows 220, not counting combining marks."""
ORDERS = {
    "needs": ("what needs people first", ["-needs_count", "-priority", "pk"]),
    "position": ("as they came in", ["pk"]),
    "reviewed": ("last reviewed first", ["-reviewed_at", "pk"]),
}
FILTERS = {
    "": "all",
    "needs": "need you",
    "tagged": "to review",
    "new": "new",
    "gold": "gold",
}
REMARKS = {
    "flagged": ("flagged", DocumentQuerySet.flagged),
    "commented": ("commented on", DocumentQuerySet.commented),
}
"""What people said of documents: offered where they said something."""


@require_safe
@never_cache
def documents(request: Request, slug: str) -> HttpResponse:
    project = find_project(request, slug)
    words = address.words(request.GET.get("q"))
    status = _one_of([*FILTERS, *REMARKS], request.GET.get("status", ""), "")
    order = _one_of(ORDERS, request.GET.get("order", ""), "needs")
    rows = _filtered(project.documents.all(), words, status).order_by(*ORDERS[order][1])
    rows = rows.without_text().annotate(opening=Substr("text", 1, OPENING))
    rows = rows.select_related("flagged_by").prefetch_related("comments")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = project_context(request, project, "documents") | {
        "page": page,
        "words": words,
        "status": status,
        "order": order,
        "filters": _counted(project.documents.all(), words, status),
        "orders": [(name, title) for name, (title, _) in ORDERS.items()],
    }
    template = "documents.html#list" if request.htmx else "documents.html"
    return TemplateResponse(request, template, context)


def _one_of(known: Collection[str], asked: str, default: str) -> str:
    return asked if asked in known else default


def _filtered(rows: DocumentQuerySet, words: str, status: str) -> DocumentQuerySet:
    if words:
        rows = rows.filter(text__icontains=words) | rows.filter(name__icontains=words)
    if status == "needs":
        return rows.needing_people()
    if status in REMARKS:
        return REMARKS[status][1](rows)
    return rows.filter(status=status) if status else rows


def _counted(rows: DocumentQuerySet, words: str, status: str) -> list[tuple[str, str, int]]:
    """Each filter's name, title and number of documents."""
    found = _filtered(rows, words, "")
    counts = dict(found.order_by().values_list("status").annotate(n=Count("pk")))
    numbers = {"": sum(counts.values()), "needs": found.needing_people().count()}
    numbers |= {s: counts.get(s, 0) for s in Document.Status.values}
    remarks = [(name, title, which(found).count()) for name, (title, which) in REMARKS.items()]
    said = [remark for remark in remarks if remark[2] or remark[0] == status]
    return [(name, title, numbers[name]) for name, title in FILTERS.items()] + said

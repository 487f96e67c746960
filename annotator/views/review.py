"""The review page: a shell around a document's sheet, and why the machine shows a span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator import examples, keys, leases, queue, sheet
from annotator.demo.tour import shows_tour
from annotator.examples import GoldExample
from annotator.models import Correction, Document, Mention, Project
from annotator.progress import progress
from annotator.swept import swept_by
from mlworker.evidence import said_of

from . import address
from .access import Request, find_document, find_project, find_whole, project_context, sheet_of
from .activity import activity_context
from .queue import CHECKING, is_checking, skipped_before, words_of
from .shown import Shown, choices


@require_safe
@never_cache
def review_next(request: Request, slug: str) -> HttpResponse:
    """Leads to the document that needs people most, or says that none does."""
    project = find_project(request, slug)
    if "sure" in request.GET:
        request.session[CHECKING] = project.pk
    order, words = chosen_order(request), words_of(request)
    wish = queue.Wish(
        order=order,
        words=tuple(words.split()),
        all=is_checking(request, project),
        skipped=tuple(skipped_before(request, project)),
    )
    document = queue.claim_next(project, request.user, wish)
    if document is not None:
        chosen = urlencode({"order": order, "q": words}) if wish.is_chosen else ""
        page = reverse("annotator:review", args=[slug, document.pk])
        return redirect(f"{page}?{chosen}" if chosen else page)
    context = project_context(request, project, "review") | activity_context(project)
    # Those in which somebody is needed are with others now, or put off.
    sure = not wish.asks_all and project.documents.to_review().filter(needs_count=0).exists()
    context |= {"sure": sure, "gold_count": project.documents.gold().count(), "wish": wish}
    context["has_text"] = project.documents.exists()
    return TemplateResponse(request, "nothing_left.html", context)


@require_safe
@never_cache
def review(request: Request, slug: str, pk: int) -> HttpResponse:
    project = find_document(request, slug, pk).project
    leases.claim(pk, request.user)
    document = find_whole(project, pk)
    shown = sheet_of(request, document)
    first = _first(document, shown["mentions"], address.row(request.GET.get("mention")))
    context = project_context(request, project, "review") | {
        "document": document,
        "sheet": shown,
        "desk": _desk(request, project),
        "choices": choices(project),
        "actions": keys.ACTIONS,
        "orders": [(order, order.heading) for order in queue.Order],
        "show_tour": shows_tour(request.user, project),
    }
    # One request less: what is behind the first mention comes along.
    context |= _behind(first) if first else {}
    return TemplateResponse(request, "review.html", context)


def _desk(request: Request, project: Project) -> dict[str, Any]:
    """What the page needs to know beside the document."""
    return {
        "person": request.user.pk,
        "project": project.name,
        "may_overlap": project.overlap,
        "labels": sheet.labels(project),
        "bindings": keys.bindings(request.user),
        "progress": progress(project, request.user),
        "next": reverse("annotator:next", args=[project.slug]),
        "guidelines": reverse("annotator:guidelines", args=[project.slug]),
        "order": chosen_order(request),
        "q": words_of(request),
    }


def chosen_order(request: Request) -> queue.Order:
    """The order in the address; the expected one where there is none, or none that is known."""
    order = request.GET.get("order", "")
    return queue.Order(order) if order in set(queue.Order) else queue.Order.EXPECTED


@require_safe
@never_cache
def sheet_json(request: Request, slug: str, pk: int) -> JsonResponse:
    return JsonResponse(sheet_of(request, find_whole(find_project(request, slug), pk)))


@require_safe
@never_cache
def why(request: Request, slug: str, pk: int) -> HttpResponse:
    """All that is known of one mention, as a fragment."""
    document = find_whole(find_project(request, slug), pk)
    mention = _with_all(document, address.row(request.GET.get("mention")))
    if mention is None:
        raise Http404
    context = project_context(request, document.project, "review") | _behind(mention)
    return TemplateResponse(request, "why.html", context)


def _behind(mention: Mention) -> dict[str, Any]:
    """All that is known of one mention."""
    document = mention.document
    focus = Shown(mention)
    swept = swept_by(document.project).answered().filter(document=document)
    return {
        "focus": focus,
        "similar": _similar(document.project, focus),
        "reading": said_of((focus.start, focus.end), swept),
        "history": _history(mention),
    }


def _first(document: Document, rows: list[dict[str, Any]], wanted: int) -> Mention | None:
    """The mention that the page opens at, of the sheet's: the wanted one, else the first that needs
    a person, is open, or is there at all (as `Sheet.first` in sheet.js)."""
    order = (
        [row for row in rows if row["id"] == wanted],
        [row for row in rows if row["state"] == Mention.State.SUGGESTED and "needs" in row],
        [row for row in rows if row["state"] == Mention.State.SUGGESTED],
        rows,
    )
    found = next((group[0]["id"] for group in order if group), None)
    return _with_all(document, found)


def _with_all(document: Document, pk: int | None) -> Mention | None:
    """The mention, with all that is said of it."""
    rows = document.mentions.select_related("label", "prediction", "question__call")
    mention: Mention | None = rows.filter(pk=pk).first() if pk else None
    if mention is not None:
        mention.document = document
    return mention


def _similar(project: Project, focus: Shown) -> list[GoldExample]:
    """What a person who is asked about `focus` may compare it with."""
    prediction = focus.mention.prediction if focus.needs else None
    return examples.resolve(project, [prediction])[prediction.pk] if prediction else []


@dataclass(frozen=True)
class Event:
    """A decision about a span, as a line of its history."""

    correction: Correction
    did: str


DID = {
    Correction.Action.ACCEPT: "accepted",
    Correction.Action.REJECT: "rejected",
    Correction.Action.RELABEL: "relabelled",
    Correction.Action.RESIZE: "resized",
    Correction.Action.ADD: "added",
    Correction.Action.UNDO: "undid",
}


def _history(mention: Mention) -> list[Event]:
    """What people decided about this mention, the newest first: by its id, which it keeps, and of
    the time before changes were kept by its span."""
    rows = mention.document.corrections.select_related("author", "label", "label_before")
    rows = rows.exclude(action=Correction.Action.SUBMIT).order_by("-created_at")
    return [Event(row, _did(row)) for row in rows if _is_about(row, mention)]


def _is_about(row: Correction, mention: Mention) -> bool:
    images: list[Any] = [image for change in row.changes for image in change if image]
    if images:
        return any(image["id"] == mention.pk for image in images)
    span = mention.start, mention.end
    return span in ((row.start, row.end), (row.start_before, row.end_before))


def _did(row: Correction) -> str:
    did = DID[Correction.Action(row.action)]
    if row.action == Correction.Action.RELABEL and row.label_before and row.label:
        return f"{did} from {row.label_before} to {row.label}"
    return did

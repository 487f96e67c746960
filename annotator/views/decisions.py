"""Decisions come in from the review page, and what they changed goes back."""

from __future__ import annotations

from typing import Any

from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from annotator import pipeline, review, sheet
from annotator.decisions import Action, Decision, Name, Refused, Stale
from annotator.markup import Markup
from annotator.models import Document

from .access import Request, find_document, find_whole, sheet_of
from .incoming import (
    Malformed,
    identity,
    number,
    objects,
    optional,
    read_json,
    read_object,
    text,
)

MOST = 2000
"""Decisions in one call."""
LEARNS = "The model learns from what was reviewed and reads the rest again."


@require_POST
@never_cache
def decide(request: Request, slug: str, pk: int) -> JsonResponse:
    """Carries out a batch of decisions, all or none. 409 where the document has moved on, 422
    where one cannot be, both with the document as it stands; nothing was saved then."""
    document = find_document(request, slug, pk)
    try:
        given = read_json(request, {"version": number, "step": identity, "decisions": objects})
        if len(given["decisions"]) > MOST:
            message = f"No more than {MOST} decisions at once; send them in parts."
            return JsonResponse({"message": message}, status=413)
        decisions = [_decision(row, n) for n, row in enumerate(given["decisions"], 1)]
    except Malformed as error:
        return error.answer
    try:
        done = review.decide_all(document, request.user, given["version"], given["step"], decisions)
    except Stale as stale:
        return _not_saved(request, document, str(stale), 409)
    except Refused as refusal:
        return _not_saved(request, document, " ".join(refusal.messages), 422)
    return JsonResponse(_answer(request, done, decisions))


def _decision(given: Any, place: int) -> Decision:
    where = f"decision {place}"
    read = read_object(
        given,
        where,
        {
            "id": identity,
            "action": text,
            "mention": optional(_name),
            "start": optional(number),
            "end": optional(number),
            "label": optional(text),
            "of": optional(identity),
        },
    )
    return Decision(**read)


def _name(given: Any, where: str) -> Name:
    return Name(**read_object(given, where, {"start": number, "end": number, "label": text}))


def _answer(request: Request, done: review.Outcome, decisions: list[Decision]) -> dict[str, Any]:
    """What changed. Of what came in before, what it touched as it is now; and the whole sheet too
    where the document has moved on since."""
    document = done.document
    markup = done.markup or Markup(document)
    rows = sheet.mentions(markup, done.touched)
    answer = {
        "version": document.version,
        "status": document.status,
        "mentions": rows,
        "gone": sorted(set(done.touched) - {row["id"] for row in rows}),
    }
    newest = max((made.document_version for made in done.corrections), default=document.version)
    if document.version != newest:
        answer["sheet"] = sheet_of(request, find_whole(document.project, document.pk))
    submits = any(decision.action == Action.SUBMIT for decision in decisions)
    if done.markup and submits and pipeline.retrain_soon(document.project):
        answer["notice"] = LEARNS
    return answer


def _not_saved(request: Request, document: Document, message: str, status: int) -> JsonResponse:
    whole = find_whole(document.project, document.pk)
    return JsonResponse({"message": message, "sheet": sheet_of(request, whole)}, status=status)

"""The review page: one document, its mentions, and what people decide about them."""

from __future__ import annotations

import uuid
from typing import cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotator import examples, pipeline, queue
from annotator import review as decisions
from annotator.evidence import said_of
from annotator.examples import GoldExample
from annotator.forms import DecisionForm, SubmitForm
from annotator.highlighting import highlight
from annotator.models import Correction, Document, Mention, Project, SweptSentence
from annotator.swept import swept_by

from .access import Request, find_project, project_context
from .activity import activity_context
from .shown import Shown, choices, next_needing, pick

STALE = (
    "Somebody else changed this document after you opened it, so your last decision was not "
    "saved. Here is how the document stands now."
)
CHECKING = "checking_sure_documents"
MOST_UNGROUNDED = 10
"""An LLM that names much more than stands there is of no help."""


@require_safe
@never_cache
def review_next(request: Request, slug: str) -> HttpResponse:
    """Leads to the document that needs people most, or says that none does."""
    project = find_project(request, slug)
    # A document that became gold has lost its place in the queue: start at the queue's head.
    waiting = project.documents.exclude(status=Document.Status.GOLD)
    after = waiting.filter(pk=_number(request.GET.get("after"))).first()
    document = queue.next_document(project, after)
    if "sure" in request.GET:
        request.session[CHECKING] = project.pk
    if document is not None and (_is_due(document) or _is_checking(request, project)):
        return redirect("annotator:review", slug=slug, pk=document.pk)
    context = project_context(request, project, "review") | activity_context(project)
    context |= {"sure": document, "gold_count": project.documents.gold().count()}
    return TemplateResponse(request, "nothing_left.html", context)


def _is_due(document: Document) -> bool:
    """Whether a person is needed: the machine asks for one, or has not read the document."""
    return document.needs_count > 0 or document.status == Document.Status.NEW


def _is_checking(request: Request, project: Project) -> bool:
    """Whether this person chose to go on with documents in which nothing is in doubt."""
    return bool(request.session.get(CHECKING) == project.pk)


@require_safe
@never_cache
def review(request: Request, slug: str, pk: int) -> HttpResponse:
    document = _find(request, slug, pk)
    context = _context(request, document, _shown(document), _number(request.GET.get("mention")))
    part = request.GET.get("part") if request.htmx else None
    fragment = {"panel": "#panel", "document": "#document"}.get(part or "", "")
    return _answer(request, document, context, fragment)


@require_POST
@never_cache
def decide(request: Request, slug: str, pk: int) -> HttpResponse:
    """Saves one decision; the answer is the document as it stands then."""
    document = _find(request, slug, pk)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _again(request, document, _first_error(form.errors.as_data()), 422)
    try:
        made = decisions.decide(document, request.user, form.decision())
    except decisions.Stale:
        return _again(request, _find(request, slug, pk), STALE, 409)
    except decisions.Refused as refusal:
        return _again(request, _find(request, slug, pk), " ".join(refusal.messages), 422)
    return _decided(request, _find(request, slug, pk), made)


@require_POST
@never_cache
def submit(request: Request, slug: str, pk: int) -> HttpResponse:
    """Confirms what is left as shown, and leads on to the next document."""
    document = _find(request, slug, pk)
    form = SubmitForm(request.POST)
    if not form.is_valid():
        return _again(request, document, _first_error(form.errors.as_data()), 422)
    try:
        decisions.submit(document, request.user, **form.cleaned_data)
    except decisions.Stale:
        return _again(request, _find(request, slug, pk), STALE, 409)
    except decisions.Refused as refusal:
        return _again(request, document, " ".join(refusal.messages), 422)
    if pipeline.retrain_soon(document.project):
        messages.info(request, "The model learns from what was reviewed and reads the rest again.")
    return redirect("annotator:review_next", slug=slug)


def _find(request: Request, slug: str, pk: int) -> Document:
    project = find_project(request, slug)
    documents = project.documents.select_related("reviewed_by")
    return cast("Document", get_object_or_404(documents, pk=pk))


def _number(given: str | None) -> int | None:
    # Longer ones are no row's, and int() refuses those of thousands of digits.
    fits = given and len(given) < 20 and given.isascii() and given.isdigit()
    return int(given) if given and fits else None


def _first_error(errors: dict[str, list[ValidationError]]) -> str:
    name, found = next(iter(errors.items()))
    return f"{name}: {found[0].messages[0]}"


def _shown(document: Document) -> list[Shown]:
    rows = document.mentions.select_related("label", "prediction", "question")
    return [Shown(row) for row in rows]


def _context(
    request: Request,
    document: Document,
    mentions: list[Shown],
    wanted: int | None,
    notice: str = "",
) -> dict[str, object]:
    focus = pick(mentions, wanted)
    swept = list(swept_by(document.project).answered().filter(document=document))
    return project_context(request, document.project, "review") | {
        "document": document,
        "lines": highlight(document.text, mentions),
        "focus": focus,
        "similar": _similar(document.project, focus),
        "reading": said_of((focus.start, focus.end), swept) if focus else None,
        "ungrounded": _ungrounded(document, swept),
        "choices": choices(document.project),
        "needing": sum(m.needs for m in mentions),
        "open": sum(m.is_open for m in mentions),
        "maybes": sum(m.state == "maybe" for m in mentions),
        "mentions_count": len(mentions),
        "notice": notice,
        "decision_id": uuid.uuid4(),
    }


def _ungrounded(document: Document, swept: list[SweptSentence]) -> list[tuple[str, str]]:
    """Words and label of what the LLM named, but cannot be placed, for whoever reviews: most
    likely there is something that nobody has marked yet."""
    if document.status == Document.Status.GOLD:
        return []
    named = [(words, label) for sentence in swept for words, label in sentence.ungrounded if words]
    return list(dict.fromkeys(named))[:MOST_UNGROUNDED]


def _similar(project: Project, focus: Shown | None) -> list[GoldExample]:
    """What a person who is asked about `focus` may compare it with."""
    prediction = focus.mention.prediction if focus and focus.needs else None
    return examples.resolve(project, [prediction])[prediction.pk] if prediction else []


def _answer(
    request: Request,
    document: Document,
    context: dict[str, object],
    fragment: str,
    status: int = 200,
) -> HttpResponse:
    """The page with links to the documents around this one, or a fragment without them."""
    if not fragment:
        around = document.project.documents.values_list("pk", flat=True)
        context["previous"] = around.filter(pk__lt=document.pk).order_by("-pk").first()
        context["following"] = around.filter(pk__gt=document.pk).order_by("pk").first()
    return TemplateResponse(request, f"review.html{fragment}", context, status=status)


def _again(request: Request, document: Document, notice: str, status: int) -> HttpResponse:
    """The document as it stands, with the reason why a decision was not saved."""
    wanted = _number(request.POST.get("mention"))
    context = _context(request, document, _shown(document), wanted, notice)
    return _answer(request, document, context, "#document" if request.htmx else "", status)


def _decided(request: Request, document: Document, made: Correction) -> HttpResponse:
    mentions = _shown(document)
    focus = _after(made, mentions)
    if request.htmx:
        context = _context(request, document, mentions, focus)
        return _answer(request, document, context, "#document")
    to = reverse("annotator:review", args=[document.project.slug, document.pk])
    return redirect(f"{to}?mention={focus}#m{focus}" if focus else to)


def _after(made: Correction, mentions: list[Shown]) -> int | None:
    """What to look at after a decision: a mention just added, else the next in need."""
    if made.action != Correction.Action.ADD:
        return next_needing(mentions, made.start or 0, made.end or 0)
    added = [m for m in mentions if (m.start, m.end) == (made.start, made.end) and not m.is_open]
    return next((m.pk for m in added if m.state != Mention.State.REJECTED), None)

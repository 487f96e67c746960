"""A document as the review page gets it, in JSON: the page draws it, the server decides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import F

from mlworker.schema import NO_ENTITY

from . import leases
from .markup import Markup, place
from .models import Comment, Document, Mention, Prediction, Project, Question, User
from .prepared import Prepared
from .swept import swept_by
from .undoing import steps

MOST_UNPLACED = 10
"""An LLM that names much more than stands there is of no help."""


_DOCUMENT: Prepared[Document] = Prepared(
    lambda project, pk: Document.objects.filter(project=project, pk=pk)
)
_COMMENTS: Prepared[Any] = Prepared(
    lambda document: Comment.objects.filter(document=document).annotate(by=F("author__username"))
)


def find_document(project: Project, pk: int) -> Document | None:
    document = _DOCUMENT.first(project=project.pk, pk=pk)
    if document is not None:
        document.project = project
    return document


def sheet(document: Document, user: User, url: str) -> dict[str, Any]:
    """The whole document; `url` is its page's."""
    markup = Markup(document)
    return {
        "id": document.pk,
        "name": document.name,
        "url": url,
        "text": document.text,
        "version": document.version,
        "status": document.status,
        "reviewed_by": document.reviewed_by.username if document.reviewed_by else None,
        "flagged": document.flagged_at is not None,
        "comments": comments(document),
        "mentions": mentions(markup),
        "unplaced": _unplaced(document),
        **steps_json(document, markup, user),
        "lease": _lease(document, user),
    }


def labels(project: Project) -> list[dict[str, Any]]:
    """In the order of their digits."""
    return [{"name": label.name, "colour": label.colour} for label in project.labels.all()]


def mentions(markup: Markup, among: Collection[int] | None = None) -> list[dict[str, Any]]:
    """The mentions, all or those `among` these ids, in the order of the text."""
    rows = [row for row in markup if among is None or row.pk in among]
    rows.sort(key=place)
    if not rows:
        return []
    names = {label.pk: label.name for label in markup.labels.values()}
    asked = [row.question_id for row in rows if row.question_id]
    answered = Question.objects.filter(pk__in=asked, state=Question.State.ANSWERED)
    answers = dict(answered.values_list("pk", "answer")) if asked else {}
    return [_mention(row, names, answers.get(row.question_id)) for row in rows]


def _mention(row: Mention, names: Mapping[int, str], answer: str | None) -> dict[str, Any]:
    """What is null, false or empty is left out. `local` and `llm` are what each says, “O” for no
    entity."""
    prediction = row.prediction
    is_candidate = prediction is not None and prediction.lane == Prediction.Lane.CANDIDATE
    local = NO_ENTITY if is_candidate else names.get(prediction.label_id) if prediction else None
    optional = {
        "needs": row.needs_person,
        "maybe": row.maybe,
        "reason": row.reason if row.needs_person else "",
        "right": None if row.right is None else round(row.right, 4),
        "asked": row.question_id is not None,
        "u": round(prediction.uncertainty, 4) if prediction else None,
        "local": local,
        "llm": answer,
    }
    told = {k: v for k, v in optional.items() if v is not None and v is not False and v != ""}
    return {
        "id": row.pk,
        "start": row.start,
        "end": row.end,
        "label": names[row.label_id],
        "state": row.state,
        "source": row.source,
        **told,
    }


def steps_json(document: Document, rows: Iterable[Mention], user: User) -> dict[str, list[str]]:
    back, forth = steps(document, rows, user)
    return {"undo": [str(step) for step in back], "redo": [str(step) for step in forth]}


def comments(document: Document) -> list[dict[str, Any]]:
    return [
        {
            "author": comment.by,
            "start": comment.start,
            "end": comment.end,
            "text": comment.text,
        }
        for comment in _COMMENTS(document=document.pk)
    ]


def _lease(document: Document, user: User) -> dict[str, Any] | None:
    lease = leases.live(document)
    if lease is None:
        return None
    return {
        "mine": lease.user_id == user.pk,
        "by": user.username if lease.user_id == user.pk else lease.user.username,
    }


def _unplaced(document: Document) -> list[tuple[str, str]]:
    """Words and label of what the LLM named, but cannot be placed, for whoever reviews: most
    likely there is something that nobody has marked yet."""
    if document.status == Document.Status.GOLD or not document.project.llm_allowed:
        return []
    if not document.swept.exclude(ungrounded=[]).exists():
        return []
    swept = swept_by(document.project).answered().filter(document=document)
    named = (pair for found in swept.values_list("ungrounded", flat=True) for pair in found)
    return list(dict.fromkeys((words, label) for words, label in named if words))[:MOST_UNPLACED]

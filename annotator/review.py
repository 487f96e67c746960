"""What people decide about mentions. Every decision is an append-only `Correction`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import pairwise

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from . import gold
from .models import Correction, Document, Label, Mention, User
from .suggestions import weigh

Action = Correction.Action
ACTIONS = [action.value for action in Action if action != Action.SUBMIT]
CHANGES = [
    *("version", "needs_count", "priority"),
    *("status", "split", "reviewed_by", "reviewed_at"),
]
"""The fields of a document that decisions change; its text, which may be long, is not written."""


class Stale(Exception):
    """The document moved on since the page was read; `version` is where it is now."""

    def __init__(self, version: int) -> None:
        super().__init__(
            "This document changed since you opened it; it was loaded again. "
            "Please decide once more."
        )
        self.version = version


class Refused(ValidationError):
    """A decision that cannot be; the message says why."""


@dataclass(frozen=True)
class Decision:
    """One decision as the client sends it. `id` is the client's: sent twice, recorded once.

    `mention` is the mention decided about (all actions but add); `start`, `end` are code points
    (resize, add); `label` is a label's name (relabel, add; optional for accept).
    """

    id: uuid.UUID
    action: str
    version: int | None = None
    mention: int | None = None
    start: int | None = None
    end: int | None = None
    label: str | None = None


def decide(document: Document, user: User, decision: Decision) -> Correction:
    """Records a decision and carries it out, in one transaction.

    Raises `Stale` where the document is not at `decision.version` any more, `Refused` where the
    decision cannot be.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update().get(pk=document.pk)
        earlier = Correction.objects.filter(pk=decision.id).first()
        if earlier is not None:
            return _same(earlier, document, user)
        if decision.version is not None and decision.version != document.version:
            raise Stale(document.version)
        correction = _carry_out(document, user, decision)
        _advance(document)
        correction.document_version = document.version
        correction.save()
        return correction


def submit(
    document: Document, user: User, *, id: uuid.UUID, version: int | None = None
) -> Document:
    """Confirms what is left as it is shown, and makes the document gold.

    Suggestions are accepted, maybes rejected, both recorded as confirmed on submit. Raises
    `Stale`; the same `id` a second time changes nothing.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update().get(pk=document.pk)
        earlier = Correction.objects.filter(pk=id).first()
        if earlier is not None:
            _same(earlier, document, user)
            return document
        if version is not None and version != document.version:
            raise Stale(document.version)
        _refuse_overlaps(document)
        done = _confirm(document, user)
        done.append(Correction(id=id, document=document, author=user, action=Action.SUBMIT))
        document.status = Document.Status.GOLD
        document.reviewed_by, document.reviewed_at = user, timezone.now()
        if document.split == Document.Split.NONE:
            document.split = gold.split_of(document.sha256)
        _advance(document)
        for correction in done:
            correction.evidence = Correction.Evidence.SUBMIT
            correction.document_version = document.version
        Correction.objects.bulk_create(done)
        return document


def _refuse_overlaps(document: Document) -> None:
    """Raises `Refused` where confirming what is shown would make two mentions overlap."""
    shown = document.mentions.exclude(state=Mention.State.REJECTED).filter(maybe=False)
    for first, second in pairwise(shown.select_related("label")):
        if second.start < first.end:
            texts = [f"“{document.text[m.start : m.end]}” ({m.label})" for m in (first, second)]
            raise Refused(f"{texts[0]} and {texts[1]} overlap. Reject one of them first.")


def _confirm(document: Document, user: User) -> list[Correction]:
    """Makes of each mention that was left alone what it was shown as; unsaved corrections."""
    left = document.mentions.undecided()
    done = [
        _correction(document, user, uuid.uuid4(), Action.REJECT if m.maybe else Action.ACCEPT, m)
        for m in left
    ]
    left.filter(maybe=True).update(state=Mention.State.REJECTED, needs_person=False, maybe=False)
    left.update(state=Mention.State.ACCEPTED, needs_person=False)
    return done


def _same(earlier: Correction, document: Document, user: User) -> Correction:
    if (earlier.document_id, earlier.author_id) != (document.pk, user.pk):
        raise Refused("Another decision has this id; send a new one.")
    return earlier


def _advance(document: Document) -> None:
    document.version += 1
    weigh(document)
    document.save(update_fields=CHANGES)


def _carry_out(document: Document, user: User, decision: Decision) -> Correction:
    if decision.action not in ACTIONS:
        raise Refused(f"“{decision.action}” is no action; use one of {', '.join(ACTIONS)}.")
    if decision.action == Action.ADD:
        return _add(document, user, decision)
    mention = document.mentions.select_related("label").filter(pk=decision.mention).first()
    if mention is None:
        raise Stale(document.version)
    correction = _correction(document, user, decision.id, decision.action, mention)
    if decision.action == Action.REJECT:
        _set(mention, Mention.State.REJECTED)
        return correction
    _change(document, mention, decision)
    correction.start, correction.end, correction.label = mention.start, mention.end, mention.label
    return correction


def _change(document: Document, mention: Mention, decision: Decision) -> None:
    """Accepts `mention`, with another label or other bounds where the action says so."""
    if decision.action == Action.RELABEL or (decision.label and decision.action == Action.ACCEPT):
        label = _label(document, decision.label)
        if label != mention.label:
            mention.label, mention.source = label, Mention.Source.PERSON
    if decision.action == Action.RESIZE:
        mention.start, mention.end = _span(document, decision)
        mention.source = Mention.Source.PERSON
    _make_room(document, mention)
    _set(mention, Mention.State.ACCEPTED)


def _add(document: Document, user: User, decision: Decision) -> Correction:
    start, end = _span(document, decision)
    label = _label(document, decision.label)
    mention = Mention(document=document, start=start, end=end, label=label)
    mention.source = Mention.Source.PERSON
    _make_room(document, mention)
    _set(mention, Mention.State.ACCEPTED)
    return Correction(
        id=decision.id,
        document=document,
        author=user,
        action=Action.ADD,
        start=start,
        end=end,
        label=label,
    )


def _make_room(document: Document, mention: Mention) -> None:
    """Drops suggestions and rejected spans that the accepted `mention` takes the place of.

    Raises `Refused` where it would overlap a mention that a person accepted.
    """
    others = document.mentions.filter(start__lt=mention.end, end__gt=mention.start)
    others = others.exclude(pk=mention.pk).select_related("label")
    accepted = others.accepted().first()
    if accepted is not None:
        raise Refused(
            f"This overlaps “{document.text[accepted.start : accepted.end]}” "
            f"({accepted.label.name}), which is decided. Reject that one first."
        )
    same = others.filter(start=mention.start, end=mention.end, label=mention.label)
    (others.undecided() | same).delete()


def _set(mention: Mention, state: str) -> None:
    mention.state, mention.needs_person, mention.maybe = state, False, False
    mention.save()


def _correction(
    document: Document, user: User, id: uuid.UUID, action: str, mention: Mention
) -> Correction:
    """An unsaved correction of `mention` that changes nothing but its state."""
    return Correction(
        id=id,
        document=document,
        author=user,
        action=action,
        start_before=mention.start,
        end_before=mention.end,
        label_before_id=mention.label_id,
        start=mention.start,
        end=mention.end,
        label_id=mention.label_id,
        prediction_id=mention.prediction_id,
        question_id=mention.question_id,
    )


def _span(document: Document, decision: Decision) -> tuple[int, int]:
    if decision.start is None or decision.end is None:
        raise Refused("This action needs a start and an end.")
    if not 0 <= decision.start < decision.end <= document.length:
        raise Refused(
            f"Span {decision.start}–{decision.end} is not inside the text, which has "
            f"{document.length} characters."
        )
    return decision.start, decision.end


def _label(document: Document, name: str | None) -> Label:
    labels = Label.objects.filter(project=document.project_id)
    label: Label | None = labels.filter(name=name or "").first()
    if label is None:
        raise Refused(f"This project has no label “{name or ''}”.")
    return label

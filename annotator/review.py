"""What people decide about mentions. Every decision is an append-only `Correction`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from . import leases
from .decisions import ACTIONS, Action, Decision, Refused, Stale
from .markup import Markup
from .models import Correction, Document, Mention, User
from .prepared import Prepared
from .recording import correction_of
from .submitting import confirm
from .suggestions import weigh
from .undoing import undo

CHANGES = [
    *("version", "needs_count", "priority"),
    *("status", "split", "reviewed_by", "reviewed_at"),
]
"""The fields of a document that decisions change; its text, which may be long, is not written."""
ID_IS_TAKEN = "Another decision has this id; send a new one."


@dataclass
class Outcome:
    """What became of decisions: the document as it is now, and what was recorded of them."""

    document: Document
    corrections: list[Correction]
    touched: Collection[int]
    """The ids of mentions that they changed, brought or took away."""
    markup: Markup | None = None
    """The mentions as they are now; None where all was recorded before."""


def decide_all(
    document: Document,
    user: User,
    version: int | None,
    step: uuid.UUID,
    decisions: Collection[Decision],
) -> Outcome:
    """Carries out all of `decisions`, in order, or none: in one transaction, as one step of the
    document's version. Those that are recorded already are passed over.

    Raises `Stale` where the document is not at `version` any more (None: whatever it is at),
    `Refused` where a decision cannot be.
    """
    with transaction.atomic():
        locked = _lock(document)
        known = _recorded(locked, user, decisions)
        new = [decision for decision in decisions if decision.id not in known]
        if not new:
            return Outcome(locked, list(known.values()), _touched_by(known.values()))
        if version is not None and version != locked.version:
            raise Stale(locked.version)
        markup = Markup(locked)
        done: list[Correction] = []
        for decision in new:
            done += _carry_out(Act(markup, user, decision))
        markup.write()
        locked.version += 1
        weigh(locked, markup)
        locked.save(update_fields=CHANGES)
        _record(done, step, locked.version)
        leases.keep(locked.pk, user)
    return Outcome(locked, [*known.values(), *done], markup.touched, markup)


def rehearse(
    markup: Markup, user: User, decisions: Iterable[Decision]
) -> tuple[list[Correction], dict[uuid.UUID, Refused | Stale]]:
    """Carries out those of `decisions` (none of them an undo) that can be, in order, in memory
    alone: unsaved corrections, and by the ids of the others why they cannot be."""
    done: list[Correction] = []
    refused: dict[uuid.UUID, Refused | Stale] = {}
    for decision in decisions:
        try:
            done += _carry_out(Act(markup, user, decision))
        except (Refused, Stale) as refusal:
            refused[decision.id] = refusal
    return done, refused


def decide(document: Document, user: User, decision: Decision) -> Correction:
    """A lone decision, which is a step of its own."""
    done = decide_all(document, user, decision.version, decision.id, [decision])
    return next(made for made in done.corrections if made.pk == decision.id)


def submit(
    document: Document, user: User, *, id: uuid.UUID, version: int | None = None
) -> Document:
    """Confirms what is left as it is shown, and makes the document gold (`submitting`)."""
    decision = Decision(id, Action.SUBMIT, version)
    return decide_all(document, user, version, id, [decision]).document


# Its text only where it is asked for.
_LOCKED: Prepared[Document] = Prepared(
    lambda pk: Document.objects.filter(pk=pk).without_text().select_for_update().order_by()
)


def _lock(document: Document) -> Document:
    """Raises `Document.DoesNotExist` where it was deleted meanwhile."""
    locked = _LOCKED.first(pk=document.pk)
    if locked is None:
        raise Document.DoesNotExist
    locked.project = document.project
    return locked


def _recorded(
    document: Document, user: User, decisions: Collection[Decision]
) -> dict[uuid.UUID, Correction]:
    """Those that came before, by their ids."""
    ids = [decision.id for decision in decisions]
    if len(set(ids)) < len(ids):
        raise Refused("Two of these decisions have the same id; give each its own.")
    if len(ids) > 1 and any(decision.action == Action.UNDO for decision in decisions):
        raise Refused("To undo is a step of its own; send it alone.")
    if not Correction.objects.filter(pk__in=ids).exists():
        return {}
    known = Correction.objects.in_bulk(ids)
    for earlier in known.values():
        if (earlier.document_id, earlier.author_id) != (document.pk, user.pk):
            raise Refused(ID_IS_TAKEN)
    return known


def _touched_by(corrections: Iterable[Correction]) -> set[int]:
    """Of these and all others of their steps."""
    steps = {correction.step or correction.pk for correction in corrections}
    changes = Correction.objects.filter(step__in=steps).values_list("changes", flat=True)
    images = (image for row in changes for change in row for image in change)
    return {image["id"] for image in images if image}


def _record(done: list[Correction], step: uuid.UUID, version: int) -> None:
    now = timezone.now()
    for place, correction in enumerate(done):
        correction.step, correction.document_version = step, version
        correction.created_at = now + timedelta(microseconds=place)
    try:
        Correction.objects.bulk_create(done)
    except IntegrityError as error:  # at this moment, in another document
        raise Refused(ID_IS_TAKEN) from error


# --- One decision ------------------------------------------------------------------------------
@dataclass
class Act:
    """A decision, by whom, and on what."""

    markup: Markup
    author: User
    decision: Decision

    @property
    def span(self) -> tuple[int, int]:
        start, end, length = self.decision.start, self.decision.end, self.markup.document.length
        if start is None or end is None:
            raise Refused("This action needs a start and an end.")
        if not 0 <= start < end <= length:
            raise Refused(
                f"Span {start}–{end} is not inside the text, which has {length} characters."
            )
        return start, end


def _carry_out(act: Act) -> list[Correction]:
    """Unsaved corrections: what undoing or submitting did, or the one decision."""
    action = act.decision.action
    if action == Action.UNDO:
        return undo(act.markup, act.author, act.decision)
    if action == Action.SUBMIT:
        return confirm(act.markup, act.author, act.decision)
    if action not in HANDLERS:
        raise Refused(f"“{action}” is no action; use one of {', '.join(ACTIONS)}.")
    correction = HANDLERS[action](act)
    correction.changes = act.markup.take_changes()
    return [correction]


def _add(act: Act) -> Correction:
    markup, decision = act.markup, act.decision
    (start, end), label = act.span, markup.label(decision.label)
    mention = Mention(document=markup.document, start=start, end=end, label=label)
    mention.source = Mention.Source.PERSON
    _make_room(markup, mention.key)
    markup.put(mention, state=Mention.State.ACCEPTED)
    made = Correction(id=decision.id, document=markup.document, author=act.author)
    made.action, made.start, made.end, made.label = Action.ADD, start, end, label
    return made


def _reject(act: Act) -> Correction:
    mention = act.markup.find(act.decision.mention)
    correction = correction_of(mention, act.author, Action.REJECT, act.decision.id)
    act.markup.put(mention, state=Mention.State.REJECTED, needs_person=False, maybe=False)
    return correction


def _accept(act: Act, *, as_other: bool = False, at_other: bool = False) -> Correction:
    """Accepts a mention: with the label that is named, `as_other` where one must be, and with the
    bounds that are given, `at_other` where they must be."""
    markup, decision = act.markup, act.decision
    mention = markup.find(decision.mention)
    correction = correction_of(mention, act.author, Action(decision.action), decision.id)
    (start, end), label, source = (mention.start, mention.end), mention.label_id, mention.source
    if as_other or (decision.label and not at_other):
        label = markup.label(decision.label).pk
    if at_other:
        start, end = act.span
    if at_other or label != mention.label_id:
        source = Mention.Source.PERSON
    _make_room(markup, (start, end, label), mention)
    markup.put(
        mention,
        start=start,
        end=end,
        label_id=label,
        source=source,
        state=Mention.State.ACCEPTED,
        needs_person=False,
        maybe=False,
    )
    correction.start, correction.end, correction.label_id = start, end, label
    return correction


HANDLERS: dict[str, Callable[[Act], Correction]] = {
    Action.ACCEPT: _accept,
    Action.RELABEL: partial(_accept, as_other=True),
    Action.RESIZE: partial(_accept, at_other=True),
    Action.REJECT: _reject,
    Action.ADD: _add,
}


def _make_room(markup: Markup, key: tuple[int, int, int], mine: Mention | None = None) -> None:
    """Drops suggestions and rejected spans that an accepted mention takes the place of: where
    mentions may overlap only what is the very same.

    Raises `Refused` where it would be a second time what a person accepted, or overlap it where
    mentions may not.
    """
    may_overlap = markup.document.project.overlap
    others = [row for row in markup.within(key[0], key[1]) if row is not mine]
    others = [row for row in others if row.key == key or not may_overlap]
    for accepted in (row for row in others if row.state == Mention.State.ACCEPTED):
        raise Refused(
            f"This overlaps {markup.told(accepted)}, which is decided. Reject that one first."
        )
    for other in others:
        if other.state == Mention.State.SUGGESTED or other.key == key:
            markup.drop(other)

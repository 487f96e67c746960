"""A person is done with a document: what they left alone is confirmed as it is shown."""

from __future__ import annotations

from itertools import pairwise

from django.utils import timezone

from . import gold
from .decisions import Action, Decision, Refused
from .markup import Markup
from .models import Correction, Document, Mention, User
from .recording import correction_of


def confirm(markup: Markup, author: User, decision: Decision) -> list[Correction]:
    """Makes the document gold; unsaved corrections, the submit itself last.

    Suggestions are accepted, maybes rejected, all recorded as confirmed on submit. Raises
    `Refused` where that would make two mentions overlap that may not.
    """
    document = markup.document
    if not document.project.overlap:
        _refuse_overlaps(markup)
    done = [
        _confirm(markup, author, mention)
        for mention in list(markup)
        if mention.state == Mention.State.SUGGESTED
    ]
    before = document.image()
    document.status = Document.Status.GOLD
    document.reviewed_by, document.reviewed_at = author, timezone.now()
    if document.split == Document.Split.NONE:
        document.split = gold.split_of(document.sha256)
    made = Correction(id=decision.id, document=document, author=author, action=Action.SUBMIT)
    made.document_change = [before, document.image()]
    done.append(made)
    for correction in done:
        correction.evidence = Correction.Evidence.SUBMIT
    return done


def _confirm(markup: Markup, author: User, mention: Mention) -> Correction:
    made = correction_of(mention, author, Action.REJECT if mention.maybe else Action.ACCEPT)
    state = Mention.State.REJECTED if mention.maybe else Mention.State.ACCEPTED
    markup.put(mention, state=state, needs_person=False, maybe=False)
    made.changes = markup.take_changes()
    return made


def _refuse_overlaps(markup: Markup) -> None:
    """Raises `Refused` where confirming what is shown would make two mentions overlap."""
    shown = [m for m in markup if m.state != Mention.State.REJECTED and not m.maybe]
    shown.sort(key=lambda mention: (mention.start, -mention.end))
    for first, second in pairwise(shown):
        if second.start < first.end:
            raise Refused(
                f"{markup.told(first)} and {markup.told(second)} overlap. Reject one of them first."
            )

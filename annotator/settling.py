"""Decides many mentions, in many documents, in one act, which one undo takes back.

It is as if their documents were opened one after the other and the same were decided in each
(`review`): by the same rules, under the same step, in one transaction.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db import transaction

from .decisions import Action, Decision, Refused
from .markup import Markup
from .models import Correction, Document, Mention, Project, User
from .review import decide_all, rehearse

MOST = 250
"""Mentions in one act, so that it takes seconds, not minutes, for which others wait."""

Seen = Mapping[int, int]
"""Mentions, by their ids, each with the version of its document in which it was seen."""


@dataclass(frozen=True)
class Wish:
    """What mentions are to become: accepted as they are, relabelled (to a label's name), or
    rejected."""

    action: str
    label: str = ""

    def __post_init__(self) -> None:
        if self.action not in (Action.ACCEPT, Action.RELABEL, Action.REJECT):
            raise Refused("Accept, relabel or reject.")
        if (self.action == Action.RELABEL) != bool(self.label):
            raise Refused("To relabel takes a label, and nothing else does.")

    def of(self, step: uuid.UUID, mention: int) -> Decision:
        """The decision about one mention; that of the same step is the same."""
        own = uuid.uuid5(step, str(mention))
        return Decision(own, self.action, mention=mention, label=self.label or None)


@dataclass
class Tally:
    """What an act did, or would do, in numbers."""

    mentions: int = 0
    """Decided, or open again where it was an undo."""
    documents: int = 0
    """In which they are."""
    others: int = 0
    """Suggestions that overlapped what was decided, and went."""
    refused: int = 0
    """Mentions that stay as they are: they overlap something decided."""
    changed: int = 0
    """Mentions that stay as they are: their documents changed since they were seen."""
    kept: int = 0
    """Documents that an undo leaves alone: somebody changed since what was decided there."""

    def add(self, done: list[Correction]) -> None:
        self.mentions += len(done)
        self.documents += bool(done)
        changes = [change for correction in done for change in correction.changes]
        self.others += sum(after is None for _, after in changes)


def preview(project: Project, user: User, wish: Wish, seen: Seen) -> Tally:
    """What `settle` would do now. Changes nothing. Raises `Refused` as it does."""
    tally = Tally()
    for document, ids in _documents(project, wish, seen, tally, lock=False):
        _rehearse(document, user, [wish.of(uuid.UUID(int=0), pk) for pk in ids], tally)
    return tally


def settle(project: Project, user: User, step: uuid.UUID, wish: Wish, seen: Seen) -> Tally:
    """Carries out `wish` on all mentions that were `seen` and are as they were, in one
    transaction. What cannot be decided stays, and is counted. The same `step` again does nothing.

    Raises `Refused` where there are too many, or `step` is another act's.
    """
    with transaction.atomic():
        tally = Tally()
        if _was_done(user, step, tally):
            return tally
        for document, ids in _documents(project, wish, seen, tally, lock=True):
            decisions = [wish.of(step, pk) for pk in ids]
            possible = _rehearse(document, user, decisions, tally)
            if possible:
                decide_all(document, user, document.version, step, possible)
    return tally


def take_back(project: Project, user: User, step: uuid.UUID, again: uuid.UUID) -> Tally:
    """Undoes `step` of `user` in every document, as the step `again`, in one transaction; to undo
    that one is to do it once more. Documents in which something was decided since on top of it are
    left alone, and counted. Raises `Refused` where there is no such step."""
    rows = Correction.objects.filter(step=step, author=user, document__project=project)
    tally = Tally()
    with transaction.atomic():
        if _was_done(user, again, tally):
            return tally
        documents = Document.objects.filter(pk__in=rows.values("document")).order_by("pk")
        locked = list(documents.select_for_update().without_text())
        if not locked:
            raise Refused("You took no such step here.")
        for document in locked:
            document.project = project
            decision = Decision(uuid.uuid5(again, str(document.pk)), Action.UNDO, of=step)
            try:
                done = decide_all(document, user, None, again, [decision])
            except Refused:
                tally.kept += 1
            else:
                tally.add(done.corrections)
    return tally


def _was_done(user: User, step: uuid.UUID, tally: Tally) -> bool:
    """Whether `step` is recorded already; `tally` says of what."""
    rows = list(Correction.objects.filter(step=step))
    if any(row.author_id != user.pk for row in rows):
        raise Refused("Another act has this id; send a new one.")
    by_document = defaultdict(list)
    for row in rows:
        by_document[row.document_id].append(row)
    for done in by_document.values():
        tally.add(done)
    return bool(rows)


def _documents(
    project: Project, wish: Wish, seen: Seen, tally: Tally, *, lock: bool
) -> Iterator[tuple[Document, list[int]]]:
    """The documents that are as they were `seen`, each with the ids of its mentions in order.
    Counts what changed."""
    if len(seen) > MOST:
        raise Refused(f"At most {MOST:,} mentions in one act. Decide for fewer, then for the rest.")
    if wish.label and not project.labels.filter(name=wish.label).exists():
        raise Refused(f"This project has no label “{wish.label}”.")
    rows = Mention.objects.undecided().filter(pk__in=seen).order_by("start", "pk")
    ids = defaultdict(list)
    # Asked for by the project too, a database may look through all of the project's mentions.
    for pk, document, at in rows.values_list("pk", "document", "document__project"):
        if at == project.pk:
            ids[document].append(pk)
    documents = Document.objects.filter(pk__in=ids).without_text().order_by("pk")
    if lock:
        documents = documents.select_for_update()
    tally.changed = len(seen)
    for document in documents:
        document.project = project
        same = [pk for pk in ids[document.pk] if seen[pk] == document.version]
        tally.changed -= len(same)
        if same:
            yield document, same


def _rehearse(
    document: Document, user: User, decisions: list[Decision], tally: Tally
) -> list[Decision]:
    """Those of `decisions` that can be; counts them."""
    done, refused = rehearse(Markup(document), user, decisions)
    tally.add(done)
    # What is stale went just now, to make room for one before it, and is counted there.
    tally.refused += sum(isinstance(why, Refused) for why in refused.values())
    return [decision for decision in decisions if decision.id not in refused]

"""Steps that people undo, and do again: mentions are put back as they were, to the id."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from .decisions import Action, Decision, Refused
from .markup import Change, Image, Markup
from .models import Correction, Document, Mention, Prediction, Question, User

MOST_STEPS = 100
"""How many steps back, or forth again, a page is told of."""
_SEEN = ("start", "end", "label_id", "state", "source", "needs_person", "maybe")
"""What must be as a step left it. The rest is the machine's, which may have thought again."""


def undo(markup: Markup, author: User, decision: Decision) -> list[Correction]:
    """Takes back the step `decision.of`; unsaved corrections, one for each of the step's.

    Raises `Refused` where it is no step of `author` here, was undone already, or where something
    is not as it left it.
    """
    rows = Correction.objects.filter(document=markup.document, author=author, step=decision.of)
    step = list(rows.select_related("undoes").order_by("-created_at"))
    if decision.of is None or not step:
        raise Refused("You took no such step in this document.")
    if Correction.objects.filter(undoes__in=step).exists():
        raise Refused("This step is undone already.")
    basis = _Basis.read(step)
    done = []
    for n, row in enumerate(step):
        for change in reversed(row.changes):
            _revert(markup, change, basis)
        made = _reverse(row, decision.id if n == 0 else uuid.uuid4())
        made.changes = markup.take_changes()
        made.document_change = _revert_document(markup.document, row.document_change)
        done.append(made)
    _refuse_open_in_gold(markup, step)
    if not markup.document.project.overlap:
        _refuse_overlaps(markup, step)
    return done


@dataclass
class _Basis:
    """What there still is of predictions and questions that mentions rested on."""

    predictions: dict[int, Prediction]
    questions: set[int]

    @classmethod
    def read(cls, step: Iterable[Correction]) -> _Basis:
        images = [before for row in step for before, _ in row.changes if before]
        said = {image["prediction_id"] for image in images} - {None}
        asked = {image["question_id"] for image in images} - {None}
        predictions = Prediction.objects.defer("probabilities", "nearest").in_bulk(said)
        questions = Question.objects.filter(pk__in=asked).values_list("pk", flat=True)
        return cls(predictions, set(questions) if asked else set())

    def fields(self, image: Image) -> dict[str, Any]:
        """What a mention is to become, but for its id."""
        fields = {name: image[name] for name in (*_SEEN, "reason", "right")}
        question = image["question_id"]
        return fields | {
            "prediction": self.predictions.get(image["prediction_id"]),
            "question_id": question if question in self.questions else None,
        }


def _revert(markup: Markup, change: Change, basis: _Basis) -> None:
    before, after = change
    mention = _as_left(markup, before, after)
    if before is None:
        if mention is not None:
            markup.drop(mention)
        return
    twin = next((row for row in markup if row.key == _key(before) and row is not mention), None)
    if twin is not None or before["label_id"] not in {label.pk for label in markup.labels.values()}:
        raise Refused(f"{markup.told(before)} was marked anew since. Decide about that one.")
    if mention is None:
        mention = Mention(pk=before["id"], document=markup.document)
    markup.put(mention, **basis.fields(before))


def _as_left(markup: Markup, before: Image | None, after: Image | None) -> Mention | None:
    """The mention as the step left it; None where it left none."""
    image = after or before or {}
    mention = markup.by_id(image["id"])
    if (_seen(mention.image()) if mention else None) != (_seen(after) if after else None):
        raise Refused(
            f"{markup.told(image)} was changed after this step, so it cannot be undone any more. "
            "Decide about it anew."
        )
    return mention


def _key(image: Image) -> tuple[int, int, int]:
    return image["start"], image["end"], image["label_id"]


def _seen(image: Image) -> tuple[Any, ...]:
    return tuple(image[name] for name in _SEEN)


def _revert_document(document: Document, change: list[Image] | None) -> list[Image] | None:
    if change is None:
        return None
    before, after = change
    if document.image() != after:
        raise Refused("The document was submitted again after this step. Undo that first.")
    document.become(before)
    return [after, before]


def _reverse(row: Correction, id: uuid.UUID) -> Correction:
    """The correction that undoes `row`: of an undo, the same decision once more."""
    again = row.undoes.action if row.action == Action.UNDO and row.undoes else Action.UNDO
    return Correction(
        id=id,
        document_id=row.document_id,
        author_id=row.author_id,
        action=again,
        evidence=row.evidence,
        undoes=row,
        start_before=row.start,
        end_before=row.end,
        label_before_id=row.label_id,
        start=row.start_before,
        end=row.end_before,
        label_id=row.label_before_id,
        prediction_id=row.prediction_id,
        question_id=row.question_id,
    )


def _came_back(step: list[Correction]) -> set[int]:
    """The ids of the mentions that are as they were before `step`."""
    return {before["id"] for row in step for before, _ in row.changes if before}


def _refuse_open_in_gold(markup: Markup, step: list[Correction]) -> None:
    """Raises `Refused` where something would be open again in a document that was submitted since:
    nobody would be asked about it, and gold would lack it."""
    back = _came_back(step) if markup.document.status == Document.Status.GOLD else set()
    for mention in markup:
        if mention.pk in back and mention.state == Mention.State.SUGGESTED:
            raise Refused(
                f"The document was submitted after {markup.told(mention)} was decided, so that "
                "cannot be undone any more. Decide about it anew."
            )


def _refuse_overlaps(markup: Markup, step: list[Correction]) -> None:
    """Raises `Refused` where something that came back lies across what was accepted since."""
    back = _came_back(step)
    for mention in markup:
        if mention.pk not in back or mention.state == Mention.State.REJECTED:
            continue
        for other in markup.within(mention.start, mention.end):
            if other.pk in back or other.state != Mention.State.ACCEPTED:
                continue
            if _was_decided_since(other, step[0]):
                raise Refused(
                    f"{markup.told(other)} was marked after this step, where "
                    f"{markup.told(mention)} would be again. Reject that one first."
                )


def _was_decided_since(mention: Mention, step: Correction) -> bool:
    later = Correction.objects.standing().filter(
        document=mention.document, document_version__gt=step.document_version
    )
    changes = (change for row in later.values_list("changes", flat=True) for change in row)
    return any(after is not None and after["id"] == mention.pk for _, after in changes)


# --- What can be undone -------------------------------------------------------------------------
_NEEDED = ("action", "step", "undoes", "changes", "document_change", "document_version")


@dataclass
class _Step:
    id: uuid.UUID
    version: int
    rows: list[Correction] = field(default_factory=list)
    """The newest first."""

    @property
    def is_undo(self) -> bool:
        return all(row.action == Action.UNDO for row in self.rows)

    @property
    def is_new(self) -> bool:
        """Whether something was decided, rather than undone or done again."""
        return any(row.undoes_id is None for row in self.rows)


def steps(
    document: Document, mentions: Iterable[Mention], user: User
) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """The steps of `user` in `document`, whose `mentions` these are, that they can undo now, and
    those that they can do again, each with the newest last; no more than `MOST_STEPS`.

    As in every editor, what was undone can be done again until something new is decided.
    """
    if document.version == 0:  # as of most documents that are opened
        return [], []
    rows = Correction.objects.filter(document=document, author=user, step__isnull=False)
    rows = rows.only(*_NEEDED).order_by("-document_version", "-created_at")
    undone = {row.undoes_id for row in rows}
    taken = [
        _Step(act, version, list(group))
        for (version, act), group in groupby(rows, lambda row: (row.document_version, row.step))
    ]
    newest = max((step.version for step in taken if step.is_new), default=0)
    standing = [step for step in taken if undone.isdisjoint(row.pk for row in step.rows)]
    back = [step for step in standing if not step.is_undo]
    forth = [step for step in standing if step.is_undo and step.version > newest]
    present = {mention.pk: _seen(mention.image()) for mention in mentions}
    return list(_possible(document, back, present)), list(_possible(document, forth, present))


def _possible(
    document: Document, steps: list[_Step], present: dict[int, tuple[Any, ...]]
) -> Iterator[uuid.UUID]:
    """Those of `steps` that can be undone one after the other; the newest last."""
    state: dict[int, tuple[Any, ...] | None] = dict(present)
    image = document.image()
    found = []
    for step in steps[:MOST_STEPS]:
        would = _Would({}, image)
        if all(would.revert(row, state) for row in step.rows) and not would.opens_gold:
            state |= would.mentions
            image = would.document
            found.append(step.id)
    return reversed(found)


@dataclass
class _Would:
    """How mentions, by id, and the document would be after a step is undone."""

    mentions: dict[int, tuple[Any, ...] | None]
    document: Image

    @property
    def opens_gold(self) -> bool:
        """Whether something would be open again in a document that is gold still."""
        states = {seen[_SEEN.index("state")] for seen in self.mentions.values() if seen}
        is_gold = self.document["status"] == Document.Status.GOLD
        return is_gold and Mention.State.SUGGESTED in states

    def revert(self, row: Correction, state: dict[int, tuple[Any, ...] | None]) -> bool:
        """Whether it is possible."""
        for before, after in reversed(row.changes):
            pk = (after or before)["id"]
            now = self.mentions.get(pk, state.get(pk))
            if now != (_seen(after) if after else None):
                return False
            self.mentions[pk] = _seen(before) if before else None
        if row.document_change is None:
            return True
        before, after = row.document_change
        was, self.document = self.document, before
        return bool(was == after)

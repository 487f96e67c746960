"""The record of what people decided: append-only."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from .documents import Document
from .people import User
from .projects import Label
from .scoping import ProjectScopedQuerySet


class AppendOnlyError(Exception):
    """Somebody tried to change or delete what people decided."""


class CorrectionQuerySet(ProjectScopedQuerySet):
    project_path = "document__project"

    def standing(self) -> Self:
        """What people decided and did not undo; what they did again stands in its new row."""
        return self.exclude(action=Correction.Action.UNDO).filter(undone_by=None)

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Corrections are never changed; record a new one.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("Corrections are never deleted.")


class Correction(models.Model):
    """One decision of one person about one span, with what it was before; or, with the action
    `submit` and no span, that they are done with the document.

    All that one act recorded shares its `step`. To undo a step records for each of its corrections
    one with the action `undo`, before and after exchanged; to do it again records the same action
    anew, which `undoes` the undo. So each is undone at most once, and what stands is what has
    another action than `undo` and was not undone (`standing`).

    `id` comes from the client, so that a decision sent twice is recorded once. The database
    refuses UPDATE by a trigger (`append_only.py`).
    """

    class Action(models.TextChoices):
        ACCEPT = "accept"
        RELABEL = "relabel"
        RESIZE = "resize"
        REJECT = "reject"
        ADD = "add"
        SUBMIT = "submit"
        UNDO = "undo"

    class Evidence(models.TextChoices):
        DECISION = "decision", "decided by itself"
        SUBMIT = "submit", "confirmed when the document was submitted"

    id = models.UUIDField(primary_key=True)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="corrections")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="corrections")
    action = models.CharField(max_length=7, choices=Action)
    evidence = models.CharField(max_length=8, choices=Evidence, default=Evidence.DECISION)
    step = models.UUIDField(null=True, db_index=True)
    """The act it is part of; that of a lone decision is its id. Null: from before there were any,
    which cannot be undone."""
    undoes = models.OneToOneField(
        "self", null=True, on_delete=models.CASCADE, related_name="undone_by"
    )
    changes = models.JSONField(default=list)
    """What it did to mentions, in order: `[before, after]` of each as `Mention.image`, null where
    there was none."""
    document_change = models.JSONField(null=True)
    """What it did to the document, `[before, after]` as `Document.image`; null: nothing."""
    document_version = models.PositiveIntegerField()
    """The document's version that this decision made."""
    start_before = models.PositiveIntegerField(null=True)
    end_before = models.PositiveIntegerField(null=True)
    label_before = models.ForeignKey(Label, null=True, on_delete=models.RESTRICT, related_name="+")
    start = models.PositiveIntegerField(null=True)
    end = models.PositiveIntegerField(null=True)
    label = models.ForeignKey(Label, null=True, on_delete=models.RESTRICT, related_name="+")
    # The record outlives what the machine said, so these two are not enforced.
    prediction = models.ForeignKey(
        "annotator.Prediction",
        null=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="+",
    )
    question = models.ForeignKey(
        "annotator.Question",
        null=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="+",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    """Those of one step are a microsecond apart, in the order in which they were carried out."""

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        indexes = [models.Index(fields=["author", "created_at"], name="corrections_of_today")]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["submit", "undo"], start=None, end=None, label=None)
                | Q(end__gt=F("start"), label__isnull=False),
                name="correction_span_not_empty",
            ),
            models.CheckConstraint(
                condition=Q(action="undo", undoes__isnull=False)
                | Q(action__in=["add", "submit"], start_before=None)
                | Q(action__in=["accept", "relabel", "resize", "reject"], start_before__gte=0),
                name="what_was_there_has_a_before",
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Corrections are never deleted.")

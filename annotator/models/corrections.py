"""The record of what people decided: append-only."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q

from .documents import Document
from .people import User
from .projects import Label
from .scoping import ProjectScopedQuerySet


class AppendOnlyError(Exception):
    """Somebody tried to change or delete what people decided."""


class CorrectionQuerySet(ProjectScopedQuerySet):
    project_path = "document__project"

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Corrections are never changed; record a new one.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("Corrections are never deleted.")


class Correction(models.Model):
    """One decision of one person about one span, with what it was before; or, with the action
    `submit` and no span, that they are done with the document.

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

    class Evidence(models.TextChoices):
        DECISION = "decision", "decided by itself"
        SUBMIT = "submit", "confirmed when the document was submitted"

    id = models.UUIDField(primary_key=True)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="corrections")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="corrections")
    action = models.CharField(max_length=7, choices=Action)
    evidence = models.CharField(max_length=8, choices=Evidence, default=Evidence.DECISION)
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
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(action="submit", start=None, end=None, label=None)
                | Q(end__gt=F("start"), label__isnull=False),
                name="correction_span_not_empty",
            ),
            models.CheckConstraint(
                condition=Q(action__in=["add", "submit"]) ^ Q(start_before__isnull=False),
                name="what_was_there_has_a_before",
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Corrections are never deleted.")

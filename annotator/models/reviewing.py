"""What helps people to review side by side: who has a document open, and what they say of it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from .documents import Document
from .people import User
from .scoping import ProjectScopedQuerySet


class LeaseQuerySet(ProjectScopedQuerySet):
    project_path = "document__project"


class Lease(models.Model):
    """That a document is with somebody for a while, so that the queue hands it to nobody else."""

    document = models.OneToOneField(Document, on_delete=models.CASCADE, related_name="lease")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="leases")
    until = models.DateTimeField()

    objects = LeaseQuerySet.as_manager()


class CommentQuerySet(ProjectScopedQuerySet):
    project_path = "document__project"


class Comment(models.Model):
    """What somebody says of a document, or of a span in it. `id` comes from the client, so that a
    comment sent twice is kept once."""

    LONGEST = 2000

    id = models.UUIDField(primary_key=True)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="comments")
    start = models.PositiveIntegerField(null=True)
    end = models.PositiveIntegerField(null=True)
    """Null, like `start`, where it is about the whole document."""
    text = models.CharField(max_length=LONGEST)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(start=None, end=None) | Q(end__gt=F("start")),
                name="comment_span_not_empty",
            ),
            models.CheckConstraint(condition=~Q(text=""), name="comment_says_something"),
        ]

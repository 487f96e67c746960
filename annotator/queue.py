"""Which document a person reviews next: the most uncertain first."""

from __future__ import annotations

from django.db.models import Q

from .models import Document, Project


def next_document(project: Project, after: Document | None = None) -> Document | None:
    """The document to review after `after`, in the order of the queue; at its end, the first
    again. None where nothing is left. Documents that no model has read come last."""
    queue = Document.objects.filter(project=project).exclude(status=Document.Status.GOLD)
    queue = queue.order_by("-priority", "pk")
    if after is not None:
        behind = Q(priority__lt=after.priority) | Q(priority=after.priority, pk__gt=after.pk)
        queue = queue.exclude(pk=after.pk)
        return queue.filter(behind).first() or queue.first()
    return queue.first()

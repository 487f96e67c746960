"""Which document a person reviews next: the most uncertain first."""

from __future__ import annotations

from django.db.models import Q

from .models import Document, Project

ORDER = ("-priority", "status", "pk")
"""What no model has read (`new`) goes before what it has read and asks nobody about (`tagged`)."""


def next_document(project: Project, after: Document | None = None) -> Document | None:
    """The document to review after `after`, in the order of the queue; at its end, the first
    again. None where nothing is left. Documents in which nobody is asked come last."""
    queue = Document.objects.filter(project=project).exclude(status=Document.Status.GOLD)
    queue = queue.order_by(*ORDER)
    if after is not None:
        same = Q(priority=after.priority)
        behind = (
            Q(priority__lt=after.priority)
            | same & Q(status__gt=after.status)
            | same & Q(status=after.status, pk__gt=after.pk)
        )
        queue = queue.exclude(pk=after.pk)
        return queue.filter(behind).first() or queue.first()
    return queue.first()

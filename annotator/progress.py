"""How far a person and their project are: what the review page says beside a document."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from .models import Correction, Document, Project, User


def progress(project: Project, user: User) -> dict[str, int]:
    """`documents`, `gold` of them, those `waiting` for a person; what `user` did here today:
    `submitted` documents, without those they took back."""
    status = Document.Status
    by_status = Document.objects.filter(project=project).order_by().values_list("status")
    rows = by_status.annotate(all=Count("*"), doubtful=Count("pk", Q(needs_count__gt=0)))
    count = {name: (documents, in_doubt) for name, documents, in_doubt in rows}
    nothing = (0, 0)
    counted = {
        "documents": sum(documents for documents, _ in count.values()),
        "gold": count.get(status.GOLD, nothing)[0],
        "waiting": count.get(status.NEW, nothing)[0] + count.get(status.TAGGED, nothing)[1],
    }
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    # Not as a join: that may be read from all the project's documents instead of from today.
    here = Document.objects.filter(pk=OuterRef("document"), project=project)
    mine = Correction.objects.filter(Exists(here), author=user, created_at__gte=midnight)
    done = mine.aggregate(
        submitted=Count("pk", Q(action=Correction.Action.SUBMIT)),
        taken_back=Count("pk", Q(action=Correction.Action.UNDO, document_change__isnull=False)),
    )
    return counted | {"submitted": max(0, done["submitted"] - done["taken_back"])}

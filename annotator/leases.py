"""Who has which document open, so that the queue hands no document to two people at once."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from .models import Document, Lease, Project, User

LASTS = timedelta(minutes=10)


_CLAIM = """
    INSERT INTO annotator_lease (document_id, user_id, until)
    SELECT id, %s, %s FROM annotator_document WHERE id = %s AND NOT (%s AND status = 'gold')
    ON CONFLICT (document_id) DO UPDATE SET user_id = excluded.user_id, until = excluded.until
    WHERE annotator_lease.user_id = excluded.user_id OR annotator_lease.until <= %s
"""


def claim(document: int, user: User, *, unfinished: bool = False) -> bool:
    """Takes the document (its id), or keeps it; False where somebody else has it or, if it is to
    be `unfinished`, where it is gold. Of two who try at once one gets it: one statement finds out
    and does it, which is also the cheapest way, for every document that is handed out."""
    now = timezone.now()
    written = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [user.pk, written(now + LASTS), document, unfinished, written(now)])
        return bool(cursor.rowcount)


def keep(document: Document, user: User) -> None:
    """Lets a lease of `user` begin anew, where less than half of it is left: one write in so many
    minutes, not one a decision."""
    lease: Lease | None = getattr(document, "lease", None)
    half = timezone.now() + LASTS / 2
    if lease is not None and lease.user_id == user.pk and lease.until < half:
        claim(document.pk, user)


def release(document: int, user: User) -> None:
    Lease.objects.filter(document=document, user=user).delete()


def held(project: Project) -> dict[int, int]:
    """The documents (ids) of `project` that somebody has now, and who."""
    rows = Lease.objects.filter(document__project=project, until__gt=timezone.now())
    return dict(rows.values_list("document_id", "user_id"))


def live(document: Document) -> Lease | None:
    """The lease that somebody has on it now (select_related `lease__user` for its name)."""
    lease: Lease | None = getattr(document, "lease", None)
    return lease if lease is not None and lease.until > timezone.now() else None

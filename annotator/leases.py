"""Who has which document open, so that the queue hands no document to two people at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from .durability import forgettable
from .models import Document, Lease, Project, User
from .prepared import Prepared

LASTS = timedelta(minutes=10)


_OF_DOCUMENT: Prepared[Lease] = Prepared(lambda document: Lease.objects.filter(document=document))
# Written out, because each of these runs for every document that is handed out, and making a
# statement from a query set takes Django longer than running it.
_CLAIM = """
    INSERT INTO annotator_lease (document_id, user_id, until)
    SELECT id, %s, %s FROM annotator_document WHERE id = %s AND NOT (%s AND status = 'gold')
    ON CONFLICT (document_id) DO UPDATE SET user_id = excluded.user_id, until = excluded.until
    WHERE annotator_lease.user_id = excluded.user_id OR annotator_lease.until <= %s
"""
_KEEP = """
    UPDATE annotator_lease SET until = %s WHERE document_id = %s AND user_id = %s AND until < %s
"""
_RELEASE = "DELETE FROM annotator_lease WHERE document_id = %s AND user_id = %s"
_HELD = """
    SELECT lease.document_id, lease.user_id FROM annotator_lease lease
    JOIN annotator_document document ON document.id = lease.document_id
    WHERE document.project_id = %s AND lease.until > %s
"""


def claim(document: int, user: User) -> bool:
    """Takes the document (its id), or keeps it; False where somebody else has it."""
    with forgettable():
        return _claim(document, user, unfinished=False)


def exchange(leaving: int | None, wanted: int | None, user: User) -> bool:
    """Gives back the one document and takes the other; False where that is gold by now, or with
    somebody else."""
    with forgettable(), connection.cursor() as cursor:
        if leaving is not None:
            cursor.execute(_RELEASE, [leaving, user.pk])
        return wanted is None or _claim(wanted, user, unfinished=True)


def _claim(document: int, user: User, *, unfinished: bool) -> bool:
    """Of two who try at once one gets it: one statement finds out and does it."""
    now = timezone.now()
    with connection.cursor() as cursor:
        until = _written(now + LASTS)
        cursor.execute(_CLAIM, [user.pk, until, document, unfinished, _written(now)])
        return bool(cursor.rowcount)


def keep(document: int, user: User) -> None:
    """Lets a lease of `user` begin anew, where less than half of it is left: one write in so many
    minutes, not one a decision."""
    now = timezone.now()
    until, half = _written(now + LASTS), _written(now + LASTS / 2)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [until, document, user.pk, half])


def held(project: Project) -> dict[int, int]:
    """The documents (ids) of `project` that somebody has now, and who."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [project.pk, _written(timezone.now())])
        return dict(cursor.fetchall())


def live(document: Document) -> Lease | None:
    """The lease that somebody has on it now."""
    lease = _OF_DOCUMENT.first(document=document.pk)
    return lease if lease is not None and lease.until > timezone.now() else None


def _written(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)

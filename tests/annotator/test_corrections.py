"""Corrections are append-only: the ORM refuses to change them, and so does the database.

Run on SQLite and, through `test_on_postgresql.py`, on PostgreSQL.
"""

from __future__ import annotations

import uuid

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from annotator.decisions import Decision
from annotator.models import AppendOnlyError, Correction
from annotator.review import decide
from tests import factories


def make() -> Correction:
    user = factories.make_user()
    document = factories.make_document(factories.make_project())
    return decide(document, user, Decision(uuid.uuid4(), "add", start=0, end=3, label="person"))


@pytest.mark.django_db
def test_the_orm_refuses_to_change_or_delete() -> None:
    correction = make()
    for change in (
        lambda: Correction.objects.update(action="reject"),
        lambda: Correction.objects.filter(pk=correction.pk).update(end=9),
        lambda: Correction.objects.bulk_update([correction], ["end"]),
        lambda: Correction.objects.all().delete(),
        correction.delete,
    ):
        with pytest.raises(AppendOnlyError), transaction.atomic():
            change()
    correction.end = 9
    with pytest.raises(DatabaseError, match=r"(?i)unique"), transaction.atomic():
        correction.save()
    assert Correction.objects.get().end == 3


@pytest.mark.django_db
def test_the_database_refuses_to_change() -> None:
    make()
    refuse_update()


@pytest.mark.django_db(transaction=True)
def test_the_trigger_is_there_after_migrating_again() -> None:
    make()
    with connection.cursor() as cursor:
        drop = "DROP TRIGGER corrections_are_never_changed"
        cursor.execute(drop + ("" if connection.vendor == "sqlite" else " ON annotator_correction"))
        cursor.execute("UPDATE annotator_correction SET action = 'add'")
    call_command("migrate", verbosity=0)
    refuse_update()


def refuse_update() -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE annotator_correction SET action = 'reject'")
    assert Correction.objects.get().action == "add"


@pytest.mark.django_db
def test_a_project_can_be_deleted_with_its_record() -> None:
    correction = make()
    correction.document.project.delete()
    assert not Correction.objects.exists()

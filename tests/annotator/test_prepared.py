"""Statements that are made once and carried out with other values each time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test import Client
from django.utils import timezone

from annotator.models import Document, Mention, User
from annotator.prepared import Prepared
from annotator.sessions import SessionStore
from tests import factories

pytestmark = pytest.mark.django_db


def test_the_same_rows_as_the_query_set_gives_for_each_of_several_values() -> None:
    by_status: Prepared[Document] = Prepared(
        lambda project, status: Document.objects.filter(project=project, status=status)
    )
    for _ in range(2):
        project = factories.make_project()
        for n, status in enumerate(["new", "gold", "new"]):
            factories.make_document(project, f"Text {n}.", status=status)
        for status in ("new", "gold", "tagged"):
            wanted = Document.objects.filter(project=project, status=status)
            assert list(by_status(project=project.pk, status=status)) == list(wanted)


def test_a_query_set_is_made_once() -> None:
    made: list[object] = []

    def one(pk: Any) -> Any:
        made.append(pk)
        return Document.objects.filter(pk=pk)

    prepared = Prepared(one)
    documents = [factories.make_document(factories.make_project()) for _ in range(3)]
    assert [prepared.first(pk=document.pk) for document in documents] == documents
    assert len(made) == 1


def test_constants_stand_where_they_stood_among_the_values() -> None:
    document = factories.make_document(factories.make_project(), "Ada met Bo in Oslo.")
    named: Prepared[Document] = Prepared(
        lambda pk, name: (
            Document.objects.annotate(said=Concat(Value("50 % of "), F("name")))
            .filter(status="new", pk=pk, name=name)
            .order_by()
        )
    )
    found = named.first(name=document.name, pk=document.pk)
    assert found is not None
    assert vars(found)["said"] == f"50 % of {document.name}"
    assert named.first(name=f"{document.name}'; --", pk=document.pk) is None


def test_what_was_left_out_is_read_when_it_is_asked_for() -> None:
    document = factories.make_document(factories.make_project())
    light: Prepared[Document] = Prepared(lambda pk: Document.objects.without_text().filter(pk=pk))
    found = light.first(pk=document.pk)
    assert found is not None
    assert "text" in found.get_deferred_fields()
    assert found.text == document.text


def test_a_value_that_is_missing_is_an_error() -> None:
    mentions: Prepared[Mention] = Prepared(
        lambda document: Mention.objects.filter(document=document)
    )
    with pytest.raises(KeyError, match="document"):
        mentions()


# --- Who asks ----------------------------------------------------------------------------------
def test_a_session_keeps_what_was_put_in_until_it_ends() -> None:
    kept = SessionStore()
    kept["skipped"] = [1, 2]
    kept.create()
    kept["skipped"] = [1, 2]
    kept.save()
    assert SessionStore(kept.session_key)["skipped"] == [1, 2]
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    ended = SessionStore(kept.session_key)
    assert ended.get("skipped") is None
    ended.save()
    assert ended.session_key != kept.session_key, "a key that ended would live again"


@pytest.mark.parametrize("field", ["password", "is_active"])
def test_who_may_not_sign_in_any_more_is_signed_out(client: Client, field: str) -> None:
    user = factories.make_user()
    client.force_login(user)
    assert client.get("/").status_code == 200
    new = {"password": "another hash", "is_active": False}[field]
    User.objects.filter(pk=user.pk).update(**{field: new})
    answer = client.get("/")
    assert answer.status_code == 302
    assert "/sign-in/" in answer.headers["Location"]

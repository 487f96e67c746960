"""What people said of documents is found again on the list of documents."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotator.models import Document, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = factories.make_user("ada")
    client.force_login(user)
    return user


@pytest.fixture
def documents(user: User) -> list[Document]:
    project = factories.make_project("Harbour", annotator=user)
    return [factories.make_document(project, f"Oslo {n}.") for n in range(3)]


def read(client: Client, query: str = "") -> tuple[list[str], dict[str, int], str]:
    """The openings of the texts listed, the filters with their numbers, and the page."""
    answer = client.get(reverse("annotator:documents", args=["harbour"]) + query)
    context = answer.context_data
    rows = [document.opening for document in context["page"]]
    return rows, {name: n for name, _, n in context["filters"]}, answer.content.decode()


def flag(document: Document, user: User) -> None:
    Document.objects.filter(pk=document.pk).update(flagged_by=user, flagged_at=timezone.now())


def test_what_nobody_said_is_not_asked_for(client: Client, documents: list[Document]) -> None:
    _, filters, page = read(client)
    assert not {"flagged", "commented"} & filters.keys()
    assert "flagged by" not in page


def test_flagged_documents_are_found_with_whoever_flagged_them(
    client: Client, user: User, documents: list[Document]
) -> None:
    flag(documents[1], user)
    rows, filters, page = read(client, "?status=flagged")
    assert rows == ["Oslo 1."]
    assert filters["flagged"] == 1
    assert "flagged by ada" in page


def test_documents_with_comments_are_found_once_each(
    client: Client, user: User, documents: list[Document]
) -> None:
    for text in ("Which one?", "The harbour."):
        documents[2].comments.create(id=uuid.uuid4(), author=user, text=text)
    rows, filters, page = read(client, "?status=commented")
    assert rows == ["Oslo 2."]
    assert filters["commented"] == 1
    assert "2 comments" in page


def test_more_documents_with_remarks_take_no_more_queries(
    client: Client, user: User, documents: list[Document]
) -> None:
    counted = []
    for document in documents:
        flag(document, user)
        document.comments.create(id=uuid.uuid4(), author=user, text="Which one?")
        with CaptureQueriesContext(connection) as queries:
            read(client)
        counted.append(len(queries))
    assert counted[1] == counted[2]

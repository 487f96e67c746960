"""Query parameters: a fixed list of names and values; no string of a client reaches a query."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotator.models import Document, Job, User

from .conftest import World

PATHS = ["project", "project__owner", "memberships__user", "reviewed_by", "created_by", "author"]
FIELDS = [f.name for f in (*User._meta.get_fields(), *Document._meta.get_fields())]
LOOKUPS = ["", "__startswith", "__regex", "__in", "__isnull"]
KEYS = [f"{path}__{name}{lookup}" for path in PATHS for name in FIELDS for lookup in LOOKUPS]
LISTS = ["", "documents/", "jobs/"]


def test_500_invented_parameters_are_refused_without_reading_a_row(
    world: World, owner: Client
) -> None:
    assert len(KEYS) >= 500
    urls = ["/api/v1/projects/", f"{world.url}documents/", f"{world.url}jobs/"]
    urls.append(f"{world.url}next/")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for number, key in enumerate(KEYS[:600]):
            answer = owner.get(f"{urls[number % 4]}?{urlencode({key: 'a'})}")
            assert answer.status_code == 400
            assert [*answer.json()["errors"]] == [key]
    assert not [q for q in queries if "password" in q["sql"].split(" WHERE ")[-1]]


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "status=gold'--",
        "status=gold&status=gold2",
        "split=all",
        "ordering=-pk",
        "ordering=reviewed_by__password",
        "ordering=?",
        "order=queue",
        "limit=0",
        "limit=-1",
        "limit=many",
        "limit=1.5",
        "offset=-1",
        "offset=" + "9" * 5000,
        "format=csv",
        "format=json",
        "q=\x00",
        "status=%00",
        "status=%ff",
    ],
)
def test_values_outside_the_lists_are_refused(world: World, owner: Client, query: str) -> None:
    assert owner.get(f"{world.url}documents/?{query}").status_code == 400


@pytest.mark.parametrize("query", ["kind=dream", "state=lost", "after=1"])
def test_the_same_for_jobs(world: World, owner: Client, query: str) -> None:
    assert owner.get(f"{world.url}jobs/?{query}").status_code == 400


@pytest.mark.parametrize("query", ["after=0", "after=x", "after=", "limit=3"])
def test_the_same_for_the_next_document(world: World, owner: Client, query: str) -> None:
    expected = 200 if query == "after=" else 400
    assert owner.get(f"{world.url}next/?{query}").status_code == expected


def test_every_documented_value_works(world: World, owner: Client) -> None:
    known: dict[str, Any] = {
        "documents/": {
            "status": Document.Status.values,
            "split": Document.Split.values,
            "ordering": ["position", "queue", "reviewed"],
        },
        "jobs/": {"kind": Job.Kind.values, "state": Job.State.values},
    }
    for path, parameters in known.items():
        for name, values in parameters.items():
            for value in values:
                assert owner.get(f"{world.url}{path}?{name}={value}").status_code == 200

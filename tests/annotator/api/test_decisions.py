"""Decisions: recorded once, refused with a reason, and never over somebody else's."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from annotator.models import Correction
from tests import factories

from .conftest import JSON, Client_, World, post


def decision(action: str, **fields: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "action": action, "version": 0} | fields


def decide(client: Client, world: World, body: Any) -> Any:
    return post(client, f"{world.document_url}decisions/", body)


def submit(client: Client, world: World, body: Any) -> Any:
    return post(client, f"{world.document_url}submit/", body)


def shown(answer: Any) -> list[tuple[str, str, str, str]]:
    mentions = answer.json()["mentions"]
    return [(m["surface"], m["label"], m["state"], m["source"]) for m in mentions]


OSLO = ("Oslo", "place", "suggested", "local")


def test_accepting(world: World, annotator: Client) -> None:
    answer = decide(annotator, world, decision("accept", mention=world.ada.pk))
    assert (answer.status_code, answer.json()["version"]) == (201, 1)
    assert shown(answer) == [("Ada", "person", "accepted", "local"), OSLO]
    correction = Correction.objects.get()
    assert (correction.author.username, correction.document_version) == ("annotator", 1)


def test_relabelling(world: World, annotator: Client) -> None:
    answer = decide(annotator, world, decision("relabel", mention=world.ada.pk, label="group"))
    assert shown(answer)[0] == ("Ada", "group", "accepted", "person")


def test_rejecting(world: World, annotator: Client) -> None:
    answer = decide(annotator, world, decision("reject", mention=world.ada.pk))
    assert shown(answer)[0] == ("Ada", "person", "rejected", "local")


def test_resizing_and_adding_behind_an_emoji(world: World, annotator: Client) -> None:
    resized = decide(annotator, world, decision("resize", mention=world.ada.pk, start=0, end=7))
    assert shown(resized)[0] == ("👩‍🚀 Ada", "person", "accepted", "person")
    added = decide(annotator, world, decision("add", version=1, start=12, end=14, label="person"))
    assert shown(added)[1] == ("Bo", "person", "accepted", "person")
    assert added.json()["version"] == 2


def test_the_same_decision_twice_is_recorded_once(world: World, annotator: Client) -> None:
    body = decision("accept", mention=world.ada.pk)
    first, second = decide(annotator, world, body), decide(annotator, world, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert Correction.objects.count() == 1


def test_a_repeated_decision_answers_even_when_the_document_moved_on(
    world: World, annotator: Client
) -> None:
    body = decision("accept", mention=world.ada.pk)
    decide(annotator, world, body)
    decide(annotator, world, decision("reject", mention=world.oslo.pk, version=1))
    again = decide(annotator, world, body)
    assert (again.status_code, again.json()["version"]) == (200, 2)


def test_a_decision_on_an_older_version_is_refused_with_the_newer(
    world: World, annotator: Client, client_of: Client_
) -> None:
    decide(annotator, world, decision("accept", mention=world.ada.pk))
    late = decide(client_of("manager"), world, decision("reject", mention=world.ada.pk))
    assert late.status_code == 409
    assert late.json() == {
        "detail": "The document has changed: it is at version 1 now.",
        "version": 1,
    }
    world.ada.refresh_from_db()
    assert world.ada.state == "accepted"
    assert Correction.objects.count() == 1


def test_the_id_of_somebody_elses_decision_is_refused(
    world: World, annotator: Client, owner: Client
) -> None:
    body = decision("accept", mention=world.ada.pk)
    decide(annotator, world, body)
    answer = decide(owner, world, body)
    assert answer.status_code == 400
    assert "id" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        decision("submit"),
        decision("delete", mention=1),
        decision("\ud800", mention=1),
        decision("accept", mention="x"),
        decision("accept", mention=True),
        decision("accept", mention=1, lable="person"),
        decision("accept", mention=1, document=1),
        decision("accept", mention=1, version=-1),
        decision("accept", mention=1, version=None),
        decision("accept", mention=1, id="1"),
        {"id": str(uuid.uuid4()), "action": "accept", "mention": 1},
        decision("add", label="person"),
        decision("add", start=0, label="person"),
        decision("add", start=0, end=3),
        decision("add", start=0, end=3, label="nobody"),
        decision("add", start=0, end=3, label="per\x00son"),
        decision("add", start=3, end=3, label="person"),
        decision("add", start=3, end=1, label="person"),
        decision("add", start=-1, end=3, label="person"),
        decision("add", start=0, end=1.5, label="person"),
        decision("add", start=0, end=24, label="person"),
        decision("add", start=0, end=10**30, label="person"),
    ],
)
def test_decisions_that_cannot_be(world: World, annotator: Client, body: Any) -> None:
    answer = decide(annotator, world, body)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not Correction.objects.exists()
    world.document.refresh_from_db()
    assert world.document.version == 0


def test_a_mention_that_is_gone_is_a_conflict(world: World, annotator: Client) -> None:
    for gone in (10**6, 10**30):
        answer = decide(annotator, world, decision("accept", mention=gone))
        assert (answer.status_code, answer.json()["version"]) == (409, 0)


def test_accepted_mentions_may_not_overlap(world: World, annotator: Client) -> None:
    decide(annotator, world, decision("accept", mention=world.ada.pk))
    answer = decide(annotator, world, decision("add", version=1, start=0, end=5, label="group"))
    assert answer.status_code == 400
    assert "“Ada” (person)" in answer.json()["detail"]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[" * 100_000, b'{"version": NaN}', b"\xff\xfe", b'{"id": ' + b"9" * 5000 + b"}"],
)
def test_bodies_that_are_no_json(world: World, annotator: Client, raw: bytes) -> None:
    answer = annotator.post(f"{world.document_url}decisions/", raw, content_type=JSON)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_body_that_is_too_large(world: World, annotator: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = decision("accept", mention=world.ada.pk, label="x" * 1000)
    answer = decide(annotator, world, body)
    assert answer.status_code == 400
    assert "exceeded" in answer.json()["detail"]
    form = annotator.post(f"{world.document_url}decisions/", {"action": "accept"})
    assert form.status_code == 415


def test_submitting_confirms_what_is_left(world: World, annotator: Client) -> None:
    maybe = factories.make_mention(world.document, "Bo", "person", maybe=True, needs_person=True)
    body = {"id": str(uuid.uuid4()), "version": 0}
    answer = submit(annotator, world, body)
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["version"]) == ("gold", 1)
    states = {m["id"]: m["state"] for m in answer.json()["mentions"]}
    assert states == {
        world.ada.pk: "accepted",
        maybe.pk: "rejected",
        world.oslo.pk: "accepted",
    }
    again = submit(annotator, world, body)
    assert (again.status_code, again.json()) == (200, answer.json())
    assert Correction.objects.filter(action="submit").count() == 1


def test_submitting_an_older_version_is_refused(world: World, annotator: Client) -> None:
    decide(annotator, world, decision("accept", mention=world.ada.pk))
    answer = submit(annotator, world, {"id": str(uuid.uuid4()), "version": 0})
    assert (answer.status_code, answer.json()["version"]) == (409, 1)
    world.document.refresh_from_db()
    assert world.document.status == "tagged"


@pytest.mark.parametrize(
    "body", [{}, {"version": 0}, {"id": str(uuid.uuid4())}, decision("accept")]
)
def test_submissions_that_cannot_be(world: World, annotator: Client, body: Any) -> None:
    assert submit(annotator, world, body).status_code == 400

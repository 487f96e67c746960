"""Jobs: started once a kind, watched, cancelled."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from annotator.models import Document, Job
from tests import factories

from .conftest import World, post


def test_a_job_is_started_and_a_second_of_its_kind_refused(world: World, owner: Client) -> None:
    for number in range(10):
        factories.make_document(
            world.project, f"Text {number}", status=Document.Status.GOLD, split="train"
        )
    answer = post(owner, f"{world.url}jobs/", {"kind": "train"})
    assert answer.status_code == 201
    started = answer.json()
    assert (started["kind"], started["state"], started["created_by"]) == (
        "train",
        "running",
        "owner",
    )
    assert owner.get(f"{world.url}jobs/{started['id']}/").json() == started
    again = post(owner, f"{world.url}jobs/", {"kind": "train"})
    assert (again.status_code, again.json()["job"]) == (409, started["id"])
    assert Job.objects.filter(project=world.project, kind="train").count() == 1


def test_what_cannot_start_says_what_is_missing(world: World, owner: Client) -> None:
    answer = post(owner, f"{world.url}jobs/", {"kind": "train"})
    assert answer.status_code == 400
    assert "gold" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [{}, {"kind": "sweep"}, {"kind": ""}, {"kind": "train", "project": 1}, {"kind": []}]
)
def test_jobs_that_cannot_be(world: World, owner: Client, body: Any) -> None:
    assert post(owner, f"{world.url}jobs/", body).status_code == 400
    assert Job.objects.filter(project=world.project).count() == 1


def test_a_job_is_cancelled_once(world: World, owner: Client) -> None:
    url = f"{world.url}jobs/{world.job.pk}/cancel/"
    answer = post(owner, url, {})
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.json()["finished_at"]
    assert post(owner, url, {}).status_code == 409


def test_a_job_is_paused_and_resumed_once(world: World, owner: Client) -> None:
    url = f"{world.url}jobs/{world.job.pk}/"
    assert post(owner, f"{url}resume/", {}).status_code == 409
    answer = post(owner, f"{url}pause/", {})
    assert (answer.status_code, answer.json()["state"]) == (200, "paused")
    assert post(owner, f"{url}pause/", {}).status_code == 409
    found = owner.get(f"{world.url}jobs/?state=paused").json()["results"]
    assert [row["id"] for row in found] == [world.job.pk]
    answer = post(owner, f"{url}resume/", {})
    assert (answer.status_code, answer.json()["state"]) == (200, "running")
    post(owner, f"{url}pause/", {})
    assert post(owner, f"{url}cancel/", {}).json()["state"] == "cancelled"


def test_the_list_is_filtered_and_newest_first(world: World, annotator: Client) -> None:
    done = factories.make_job(world.project, Job.Kind.LINK, state="done", total=4, done=3)
    found = annotator.get(f"{world.url}jobs/").json()
    assert [row["id"] for row in found["results"]] == [done.pk, world.job.pk]
    assert found["results"][0]["percent"] == 75
    for query in ("kind=link", "state=done"):
        rows = annotator.get(f"{world.url}jobs/?{query}").json()["results"]
        assert [row["id"] for row in rows] == [done.pk]

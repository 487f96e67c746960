"""A paused job: what is under way is stored, nothing more is sent, and it goes on when resumed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from annotator import chunks, foreground, pipeline, steps
from annotator.models import Chunk, Job, Prediction, Project
from annotator.refusals import Busy
from mlworker.tasks import gpu
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

ADA = ("Ada", "person", 0.1)


@pytest.fixture
def project(settings: Any) -> Project:
    settings.CHUNK_DOCUMENTS = 1
    project = factories.make_project()
    factories.make_version(project)
    for n in range(6):
        factories.make_document(project, f"Ada wrote letter {n}.")
    return project


@pytest.fixture
def job(project: Project, broker: Broker) -> Job:
    pieces = steps.STEPS[Job.Kind.TAG].prepare(project)
    job = chunks.open_job(project, Job.Kind.TAG, pieces, follow=False)
    pipeline.dispatch(job)
    return job


def finish(broker: Broker) -> None:
    while request := broker.take("gpu"):
        workers.deliver(workers.tag(request, ADA))


def test_what_is_under_way_is_stored_and_nothing_more_is_sent(job: Job, broker: Broker) -> None:
    assert pipeline.pause(job)
    assert not pipeline.pause(job)
    finish(broker)
    pipeline.sweep()
    assert broker.take("gpu") is None
    job.refresh_from_db()
    assert (job.state, job.done, Prediction.objects.count()) == ("paused", 3, 3)


def test_a_chunk_that_was_lost_meanwhile_is_sent_after_it_goes_on(
    job: Job, broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    pipeline.pause(job)
    broker.all("gpu")
    Chunk.objects.filter(state="sent").update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.sweep()
    assert {c.state for c in job.chunks.all()} == {"pending"}
    with django_capture_on_commit_callbacks(execute=True):
        assert pipeline.resume(job)
    assert not pipeline.resume(job)
    finish(broker)
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 6)


def test_a_job_that_finished_while_paused_ends_when_it_is_resumed(
    project: Project, broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    """So that the step after it does not start before."""
    for n in range(10):
        factories.make_document(project, f"Gold {n}", status="gold", split="train")
    job = chunks.open_job(project, Job.Kind.TRAIN, [[]])
    pipeline.dispatch(job)
    pipeline.pause(job)
    workers.deliver(workers.train(broker.take("gpu") or {}))
    job.refresh_from_db()
    assert (job.state, project.versions.count()) == ("paused", 2)
    with django_capture_on_commit_callbacks(execute=True):
        pipeline.resume(job)
    job.refresh_from_db()
    assert job.state == "done"
    assert Job.objects.running().get().kind == Job.Kind.TAG


def test_a_paused_job_is_the_one_of_its_kind_until_it_is_cancelled(
    project: Project, job: Job
) -> None:
    pipeline.pause(job)
    with pytest.raises(Busy, match=r"Tagging is paused .* resume or cancel it first"):
        chunks.open_job(project, Job.Kind.TAG, [[1]])
    assert pipeline.cancel(job)
    chunks.open_job(project, Job.Kind.TAG, [[1]])


def test_a_job_that_ended_is_neither_paused_nor_resumed(job: Job) -> None:
    pipeline.cancel(job)
    assert not pipeline.pause(job)
    assert not pipeline.resume(job)


def test_a_command_stops_when_its_job_is_paused_and_goes_on_when_resumed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tag(request: dict[str, Any]) -> dict[str, Any]:
        if Prediction.objects.count() == 1:
            pipeline.pause(Job.objects.get())
        return {"ok": workers.tag(request, ADA).to_json()}

    monkeypatch.setattr(gpu, "tag", tag)
    with pytest.raises(CommandError, match=r"Tagging was paused at 2 of 6\. Resume it"):
        call_command("tag", project.name)
    with pytest.raises(Busy, match="is paused"):
        foreground.run_here(project, Job.Kind.TAG, lambda _: None)
    chunks.resume(Job.objects.get())
    job = foreground.run_here(project, Job.Kind.TAG, lambda _: None)
    assert (job.state, job.done, Job.objects.count()) == ("done", 6, 1)


def test_its_buttons_and_what_they_do(client: Client, project: Project, job: Job) -> None:
    owner = factories.make_user()
    factories.add_member(project, owner, "owner")
    client.force_login(owner)
    at = f"/projects/{project.slug}/"
    assert f'id="pause-{job.pk}"' in client.get(at).content.decode()
    client.post(f"{at}jobs/{job.pk}/pause/", {"back": "project"})
    page = client.get(at).content.decode()
    assert f'id="resume-{job.pk}"' in page
    assert f'id="cancel-{job.pk}"' in page
    assert "At work" not in page
    client.post(f"{at}jobs/{job.pk}/resume/", {"back": "project"})
    job.refresh_from_db()
    assert job.is_running

"""Chunks are claimed, leased, postponed, split and given up by one rule each."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from annotator import chunks
from annotator.models import Chunk, Job, Project
from annotator.refusals import Busy
from mlworker.schema import Progress
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def open_job(project: Project, *pieces: list[int], kind: str = Job.Kind.TAG) -> Job:
    return chunks.open_job(project, kind, pieces)


def claim(job: Job) -> Chunk:
    chunk = chunks.claim(job)
    assert chunk is not None
    return chunk


def expire(chunk: Chunk) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Chunk.objects.filter(pk=chunk.pk).update(lease_until=past)


def test_a_job_counts_its_items_and_keeps_version_and_method(project: Project) -> None:
    version = factories.make_version(project)
    job = open_job(project, [1, 2], [3])
    assert (job.total, job.version, job.method) == (3, version, project.method)
    assert [c.items for c in job.chunks.all()] == [[1, 2], [3]]
    assert open_job(project, [], kind=Job.Kind.TRAIN).version is None


def test_one_job_of_a_kind_runs_in_a_project(project: Project) -> None:
    first = open_job(project, [1])
    with pytest.raises(Busy, match="Tagging is already under way") as busy:
        open_job(project, [2])
    assert busy.value.job == first
    assert Chunk.objects.count() == 1
    open_job(project, kind=Job.Kind.LINK)
    open_job(factories.make_project())
    chunks.end_job(first, Job.State.CANCELLED)
    open_job(project, [2])


def test_chunks_are_claimed_in_order_once_each(project: Project) -> None:
    job = open_job(project, [1], [2])
    claimed = [chunks.claim(job) for _ in range(3)]
    assert [c and (c.items, c.state, c.attempts) for c in claimed] == [
        ([1], "sent", 1),
        ([2], "sent", 1),
        None,
    ]


def test_nothing_is_claimed_of_a_job_that_ended(project: Project) -> None:
    job = open_job(project, [1])
    chunks.end_job(job, Job.State.CANCELLED)
    assert chunks.claim(job) is None


def test_a_postponed_chunk_waits_until_it_is_due(project: Project) -> None:
    job = open_job(project, [1])
    chunk = claim(job)
    chunks.postpone(chunk, 60)
    assert chunks.claim(job) is None
    Chunk.objects.update(not_before=timezone.now())
    assert claim(job).attempts == 2


def test_given_back_is_pending_unless_the_lease_moved_on(project: Project) -> None:
    job = open_job(project, [1])
    first = claim(job)
    chunks.unclaim(first)
    second = claim(job)
    chunks.unclaim(first)
    second.refresh_from_db()
    assert (second.state, second.attempts) == ("sent", 2)


def test_only_an_expired_lease_is_lost(project: Project) -> None:
    job = open_job(project, [1])
    chunk = claim(job)
    assert chunks.lost(job) == []
    assert not chunks.take_back(chunk)
    expire(chunk)
    assert chunks.lost(job) == [chunk]
    assert chunks.take_back(chunk)
    assert not chunks.take_back(chunk)


def test_a_sign_of_life_renews_the_lease_of_its_own_attempt(project: Project) -> None:
    job = open_job(project, [1])
    chunk = claim(job)
    expire(chunk)
    chunks.renew(chunk.pk, attempt=9)
    chunks.begin(chunk.pk, attempt=9)
    assert chunks.lost(job) == [chunk]
    chunks.renew(chunk.pk, attempt=1)
    assert chunks.lost(job) == []
    chunks.begin(chunk.pk, attempt=1)
    chunk.refresh_from_db()
    assert chunk.starts == 1


def test_a_split_keeps_every_item(project: Project) -> None:
    job = open_job(project, [1, 2, 3])
    chunk = claim(job)
    assert chunks.split(chunk, "no")
    assert [c.items for c in job.chunks.filter(state="pending")] == [[1], [2, 3]]
    assert (chunk.state, chunk.error) == ("done", "split: no")
    assert not chunks.split(claim(job), "no")


@pytest.mark.parametrize(("at_fault", "left"), [(2, [[2], [1, 3]]), (9, [[1], [2, 3]])])
def test_an_item_at_fault_is_parted_from_the_others(
    project: Project, at_fault: int, left: list[list[int]]
) -> None:
    job = open_job(project, [1, 2, 3])
    assert chunks.split(claim(job), "no", at_fault)
    assert [c.items for c in job.chunks.filter(state="pending")] == left


def test_a_job_ends_when_its_chunks_have(project: Project) -> None:
    job = open_job(project, [1], [2])
    chunks.complete(claim(job), 1)
    assert not chunks.settle(job)
    chunks.give_up(claim(job), "broken document")
    assert chunks.settle(job)
    assert not chunks.settle(job)
    job.refresh_from_db()
    assert (job.state, job.done, job.failed, job.note) == ("done", 1, 1, "broken document")
    assert job.finished_at is not None


def test_a_job_of_nothing_is_done(project: Project) -> None:
    job = open_job(project)
    assert chunks.settle(job)
    job.refresh_from_db()
    assert (job.state, job.total, job.note) == ("done", 0, "")


def test_a_job_in_which_all_failed_has_failed(project: Project) -> None:
    job = open_job(project, [1, 2])
    chunks.split(claim(job), "no")
    for _ in range(2):
        chunks.give_up(claim(job), "no memory")
    assert chunks.settle(job)
    job.refresh_from_db()
    assert (job.state, job.failed, job.note) == ("failed", 2, "no memory")


def test_three_failures_and_nothing_done_end_a_job_early(project: Project) -> None:
    job = open_job(project, *[[n] for n in range(9)])
    for _ in range(3):
        assert not chunks.settle(job)
        chunks.give_up(claim(job), "no model")
    assert chunks.settle(job)
    job.refresh_from_db()
    assert (job.state, job.note) == ("failed", "no model")
    assert chunks.claim(job) is None


def test_three_failures_among_successes_do_not(project: Project) -> None:
    job = open_job(project, *[[n] for n in range(9)])
    chunks.complete(claim(job), 1)
    for _ in range(5):
        chunks.give_up(claim(job), "broken document")
    assert not chunks.settle(job)


def test_a_training_that_failed_after_some_steps_has_failed(project: Project) -> None:
    job = open_job(project, [], kind=Job.Kind.TRAIN)
    chunk = claim(job)
    chunks.show_progress(Progress(chunk.pk, 1, 30, 100, "epoch 2"))
    job.refresh_from_db()
    assert (job.done, job.total, job.note) == (30, 100, "epoch 2")
    chunks.give_up(chunk, "out of memory")
    assert chunks.settle(job)
    job.refresh_from_db()
    assert (job.state, job.note) == ("failed", "out of memory")


def test_only_training_counts_in_steps(project: Project) -> None:
    job = open_job(project, [1, 2])
    chunk = claim(job)
    chunks.show_progress(Progress(chunk.pk, 1, 30, 100, "x"))
    job.refresh_from_db()
    assert (job.done, job.total, job.note) == (0, 2, "")


@pytest.mark.parametrize("change", [{"state": "lost"}, {"state": "sent", "lease_until": None}])
def test_the_database_refuses_states_that_cannot_be(
    project: Project, change: dict[str, object]
) -> None:
    open_job(project, [1])
    with pytest.raises(IntegrityError), transaction.atomic():
        Chunk.objects.update(**change)

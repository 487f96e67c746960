"""Work is in the database: messages may be lost, doubled, late or refused, and nothing is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotator import chunks, pipeline, steps, tasks
from annotator.models import Chunk, Document, Job, Mention, Prediction, Project, Tagging
from mlworker.schema import Progress
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

ADA = ("Ada", "person", 0.1)


@pytest.fixture(autouse=True)
def _two_a_chunk(settings: Any) -> None:
    settings.CHUNK_DOCUMENTS = 2


@pytest.fixture
def project() -> Project:
    project = factories.make_project()
    factories.make_version(project)
    return project


@pytest.fixture
def commits(django_capture_on_commit_callbacks: Any) -> Any:
    return lambda: django_capture_on_commit_callbacks(execute=True)


def documents(project: Project, count: int) -> list[Document]:
    return [factories.make_document(project, f"Ada wrote letter {n}.") for n in range(count)]


def start(project: Project, kind: str = Job.Kind.TAG, **fields: Any) -> Job:
    """As `pipeline.start`, with what is to happen after the commit done now."""
    fields = {"follow": False} | fields
    pieces = steps.STEPS[Job.Kind(kind)].prepare(project)
    job = chunks.open_job(project, kind, pieces, **fields)
    pipeline.dispatch(job)
    return job


def expire() -> None:
    Chunk.objects.filter(state="sent").update(lease_until=timezone.now() - timedelta(seconds=1))


def states(job: Job) -> list[tuple[list[int], str]]:
    return [(c.items, c.state) for c in job.chunks.all()]


def test_texts_go_out_after_the_commit_and_only_then(
    project: Project, broker: Broker, commits: Any
) -> None:
    first, second, third = documents(project, 3)
    with commits():
        job = pipeline.start(project, Job.Kind.TAG)
        assert broker.take("gpu") is None
    sent = broker.all("gpu")
    assert [[t["id"] for t in request["texts"]] for request in sent] == [
        [first.pk, second.pk],
        [third.pk],
    ]
    assert sent[0]["texts"][0]["text"] == first.text
    assert sent[0]["model"] == project.serving.path
    assert sent[0]["texts"][0]["mentions"] == []
    assert {c.state for c in job.chunks.all()} == {"sent"}


def test_a_tagging_runs_to_its_end(project: Project, broker: Broker) -> None:
    documents(project, 9)
    job = start(project)
    assert job.chunks.filter(state="sent").count() == 3
    rounds = 0
    while request := broker.take("gpu"):
        rounds += 1
        workers.deliver(workers.tag(request, ADA))
        assert job.chunks.filter(state="sent").count() <= 3
    job.refresh_from_db()
    assert (rounds, job.state, job.done, job.failed) == (5, "done", 9, 0)
    assert Prediction.objects.count() == Mention.objects.count() == 9
    assert set(project.documents.values_list("status", flat=True)) == {"tagged"}


def test_a_doubled_answer_is_stored_once(project: Project, broker: Broker) -> None:
    documents(project, 1)
    job = start(project)
    result = workers.tag(broker.take("gpu") or {}, ADA)
    for _ in range(3):
        workers.deliver(result)
    job.refresh_from_db()
    assert (job.done, Prediction.objects.count(), Tagging.objects.count()) == (1, 1, 1)


def test_an_answer_to_an_expired_attempt_is_taken(project: Project, broker: Broker) -> None:
    documents(project, 1)
    job = start(project)
    late = broker.take("gpu") or {}
    expire()
    pipeline.sweep()
    again = broker.take("gpu") or {}
    assert (late["attempt"], again["attempt"], again["chunk"]) == (1, 2, late["chunk"])
    workers.deliver(workers.tag(late, ADA))
    workers.deliver(workers.tag(again, ADA))
    job.refresh_from_db()
    assert (job.state, job.done, Prediction.objects.count()) == ("done", 1, 1)


def test_an_answer_to_nothing_is_dropped() -> None:
    pipeline.deliver({"failure": {"chunk": 0, "attempt": 0, "error": "undecodable"}})
    assert not Chunk.objects.exists()


def test_what_a_cancelled_job_finished_is_kept_and_no_more_is_sent(
    project: Project, broker: Broker
) -> None:
    documents(project, 9)
    job = start(project)
    requests = broker.all("gpu")
    assert pipeline.cancel(job)
    assert not pipeline.cancel(job)
    workers.deliver(workers.tag(requests[0], ADA))
    pipeline.sweep()
    assert broker.take("gpu") is None
    job.refresh_from_db()
    assert (job.state, job.done, Prediction.objects.count()) == ("cancelled", 2, 2)


def test_one_bad_document_is_named_and_the_others_are_stored(
    project: Project, broker: Broker, settings: Any
) -> None:
    settings.CHUNK_DOCUMENTS = 8
    rows = documents(project, 8)
    bad = rows[5].pk
    job = start(project)
    tried = []
    while request := broker.take("gpu"):
        ids = [text["id"] for text in request["texts"]]
        tried.append(ids)
        if bad in ids:
            workers.fail(request, f"ValueError: document {bad} cannot be read")
        else:
            workers.deliver(workers.tag(request, ADA))
    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("done", 7, 1)
    assert job.note == f"ValueError: document {bad} cannot be read"
    assert sum(ids == [bad] for ids in tried) == 1
    unread = project.documents.unread_by(project.serving)
    assert [d.pk for d in unread] == [bad]


def test_a_lost_chunk_is_sent_again_and_given_up_after_three_starts(
    project: Project, broker: Broker, settings: Any
) -> None:
    """A document that kills its worker: what it shares a chunk with survives."""
    settings.CHUNK_DOCUMENTS = 4
    rows = documents(project, 4)
    killer = rows[2].pk
    job = start(project)
    starts: dict[int, int] = {}
    for _ in range(40):
        for request in broker.all("gpu"):
            ids = [text["id"] for text in request["texts"]]
            workers.begin(request)
            if killer not in ids:
                workers.deliver(workers.tag(request, ADA))
            elif ids == [killer]:
                starts[killer] = starts.get(killer, 0) + 1
        job.refresh_from_db()
        if not job.is_active:
            break
        expire()
        pipeline.sweep()
    assert (job.state, job.done, job.failed) == ("done", 3, 1)
    assert starts == {killer: 3}
    assert "the worker died each time" in job.note


def test_chunks_waiting_their_turn_are_left_while_the_queue_moves(
    project: Project, broker: Broker
) -> None:
    documents(project, 6)
    job = start(project)
    first, *waiting = broker.all("gpu")
    workers.begin(first)
    Chunk.objects.exclude(pk=first["chunk"]).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )
    pipeline.sweep()
    assert broker.take("gpu") is None
    assert {c.attempts for c in job.chunks.all()} == {1}
    workers.deliver(workers.tag(first, ADA))
    expire()
    pipeline.sweep()
    assert [r["chunk"] for r in broker.all("gpu")] == [r["chunk"] for r in waiting]


def test_a_busy_queue_of_another_project_counts_as_moving(project: Project, broker: Broker) -> None:
    other = factories.make_project()
    factories.make_version(other)
    documents(other, 1)
    start(other)
    workers.begin(broker.take("gpu") or {})
    documents(project, 1)
    job = start(project)
    broker.all("gpu")
    job.chunks.update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.sweep()
    assert broker.take("gpu") is None
    assert pipeline.queue_moves("gpu")
    assert not pipeline.queue_moves("llm")


def test_signs_of_life_keep_a_training_going(project: Project, broker: Broker) -> None:
    for number in range(10):
        factories.make_document(project, f"Gold {number}", status="gold", split="train")
    job = start(project, Job.Kind.TRAIN)
    request = broker.take("gpu") or {}
    workers.begin(request)
    expire()
    tasks.report_progress(Progress(request["chunk"], 1, 5, 50, "epoch 1").to_json())
    pipeline.sweep()
    assert broker.take("gpu") is None
    job.refresh_from_db()
    assert (job.done, job.total, job.note, job.percent) == (5, 50, "epoch 1", 10)


def test_without_broker_the_chunk_is_given_back(project: Project, storage: Any) -> None:
    documents(project, 1)
    with Broker("redis+socket:///nowhere/redis.sock"):
        job = start(project)
    assert states(job) == [([d.pk for d in project.documents.all()], "pending")]
    assert job.is_active
    with Broker() as broker:
        pipeline.sweep()
        workers.deliver(workers.tag(broker.take("gpu") or {}, ADA))
    job.refresh_from_db()
    assert job.state == "done"


def test_without_room_for_the_dataset_the_chunk_is_given_back(
    project: Project, broker: Broker, storage: Any
) -> None:
    for number in range(10):
        factories.make_document(project, f"Gold {number}", status="gold", split="train")
    (storage / "datasets").write_text("a file where the folder should be")
    job = start(project, Job.Kind.TRAIN)
    assert states(job) == [([], "pending")]
    (storage / "datasets").unlink()
    pipeline.sweep()
    assert broker.take("gpu") is not None


def test_a_model_version_that_is_gone_ends_the_job(project: Project, broker: Broker) -> None:
    documents(project, 4)
    job = start(project)
    requests = broker.all("gpu")
    project.versions.all().delete()
    expire()
    pipeline.sweep()
    job.refresh_from_db()
    assert (job.state, job.note) == (
        "failed",
        "The model version that was to tag is gone; tag again.",
    )
    workers.fail(requests[0])

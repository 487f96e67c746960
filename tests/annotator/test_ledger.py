"""Every request to an LLM has one row that says what became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotator import chunks, linking, pipeline
from annotator.models import Chunk, Document, Job, LLMCall, Project, Question
from mlworker.schema import Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db


@pytest.fixture
def document() -> Document:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project)
    document = factories.make_document(project, status="tagged")
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    return document


@pytest.fixture
def job(document: Document, broker: Broker) -> Job:
    pieces = linking.prepare(document.project)
    job = chunks.open_job(document.project, Job.Kind.LINK, pieces, follow=False)
    pipeline.dispatch(job)
    return job


def calls() -> list[tuple[int, str, str]]:
    return list(LLMCall.objects.order_by("pk").values_list("attempt", "state", "reason"))


def lose() -> None:
    Chunk.objects.filter(state="sent").update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.sweep()


def age() -> None:
    LLMCall.objects.update(created_at=timezone.now() - timedelta(hours=1))


def retry(request: dict[str, Any], **fields: Any) -> None:
    workers.deliver(workers.outcome(request, Outcome.RETRY, **({"reason": "busy"} | fields)))


def test_a_busy_server_is_asked_again_later_and_later(job: Job, broker: Broker) -> None:
    waits = []
    for attempt in range(1, 7):
        request = broker.take("llm") or {}
        assert request["attempt"] == attempt
        retry(request)
        chunk = Chunk.objects.get()
        if chunk.not_before and chunk.state == "pending":
            waits.append(round((chunk.not_before - timezone.now()).total_seconds()))
        pipeline.sweep()
        assert broker.take("llm") is None
        Chunk.objects.update(not_before=timezone.now())
        pipeline.sweep()
    assert waits == [2, 4, 8, 16, 32]
    assert calls() == [(attempt, "failed", "busy") for attempt in range(1, 7)]
    job.refresh_from_db()
    assert (job.state, job.failed, job.note) == ("failed", 1, "busy")
    question = Question.objects.get()
    assert (question.state, question.reason) == ("open", "busy")
    mention = question.document.mentions.get()
    assert (mention.needs_person, mention.maybe) == (True, False)
    assert mention.reason.endswith("The LLM gave no answer: busy.")


def test_the_servers_own_waiting_time_is_kept(job: Job, broker: Broker) -> None:
    retry(broker.take("llm") or {}, retry_after=90.0)
    wait = Chunk.objects.get().not_before - timezone.now()
    assert 88 < wait.total_seconds() <= 90


def test_a_request_that_nothing_came_back_from_is_unknown(job: Job, broker: Broker) -> None:
    lose()
    assert calls() == [
        (1, "unknown", "nothing came back before its lease ran out"),
        (2, "sent", ""),
    ]


def test_a_request_of_a_job_that_ended_does_not_stay_under_way_for_ever(
    job: Job, broker: Broker
) -> None:
    pipeline.cancel(job)
    pipeline.sweep()
    assert calls() == [(1, "sent", "")]
    age()
    lose()
    assert calls() == [(1, "unknown", "nothing came back before its chunk ended")]
    workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person"))
    assert calls() == [(1, "answered", "")]


def test_nor_does_one_whose_chunk_was_done_by_an_earlier_attempt(job: Job, broker: Broker) -> None:
    late = broker.take("llm") or {}
    age()
    lose()
    workers.deliver(workers.answer(late, Bo="person"))
    pipeline.sweep()
    assert [state for _, state, _ in calls()] == ["answered", "sent"]
    age()
    pipeline.sweep()
    assert [state for _, state, _ in calls()] == ["answered", "unknown"]


def test_one_that_is_awaited_is_left_to_its_lease(job: Job, broker: Broker) -> None:
    age()
    pipeline.sweep()
    assert calls() == [(1, "sent", "")]


def test_requests_that_were_lost_do_not_use_up_the_tries(job: Job, broker: Broker) -> None:
    for _ in range(8):
        lose()
    request = broker.all("llm")[-1]
    retry(request)
    assert Chunk.objects.get().state == "pending"
    wait = Chunk.objects.get().not_before - timezone.now()
    assert wait.total_seconds() <= 2


def test_a_late_answer_settles_its_own_row_and_counts(job: Job, broker: Broker) -> None:
    late = broker.take("llm") or {}
    lose()
    workers.deliver(workers.answer(late, Bo="person"))
    assert [state for _, state, _ in calls()] == ["answered", "sent"]
    question = Question.objects.get()
    assert (question.answer, question.call.attempt) == ("person", 1)
    second = broker.take("llm") or {}
    workers.deliver(workers.answer(second, Bo="group"))
    assert [state for _, state, _ in calls()] == ["answered", "answered"]
    assert sum(LLMCall.objects.values_list("prompt_tokens", flat=True)) == 200
    question.refresh_from_db()
    assert (question.answer, question.call.attempt) == ("person", 1)
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 1)


def test_a_late_refusal_to_answer_leaves_the_newer_request_alone(job: Job, broker: Broker) -> None:
    late = broker.take("llm") or {}
    lose()
    retry(late)
    assert Chunk.objects.get().state == "sent"
    assert [state for _, state, _ in calls()] == ["failed", "sent"]


def test_a_request_whose_worker_failed_is_unknown(job: Job, broker: Broker) -> None:
    workers.fail(broker.take("llm") or {}, "KeyError: 'x'")
    assert calls() == [(1, "unknown", "KeyError: 'x'")]
    job.refresh_from_db()
    assert (job.state, job.failed) == ("failed", 1)
    assert "KeyError" in Question.objects.get().reason


def test_a_request_that_could_not_be_sent_says_so(document: Document, storage: Any) -> None:
    pieces = linking.prepare(document.project)
    job = chunks.open_job(document.project, Job.Kind.LINK, pieces, follow=False)
    with Broker("redis+socket:///nowhere/redis.sock"):
        pipeline.dispatch(job)
    with Broker() as broker:
        pipeline.dispatch(job)
        workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person"))
    (first, state, reason), second = calls()
    assert (first, state) == (1, "unsent")
    assert reason.startswith("it was not sent: ")
    assert second == (2, "answered", "")

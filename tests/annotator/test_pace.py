"""How fast and when the LLM server is asked: its own word, its failures, and how many at once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotator import asking, chunks, linking, pace, pipeline
from annotator.models import Chunk, Job, LLMCall, Pace, Price, Project
from mlworker.schema import Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker, at_once, link

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _server(llm_server: None, settings: Any) -> None:
    settings.CHUNK_QUESTIONS, settings.LLM_CONCURRENCY = 1, 4


def make_project(spans: int) -> Project:
    """Each of its spans is to be asked about in a request of its own."""
    project = factories.make_project(provider=Project.Provider.OPENAI)
    factories.make_version(project, tau=0.4)
    for n in range(spans):
        document = factories.make_document(project, f"Ada met Bo {n}.", status="tagged")
        factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    return project


@pytest.fixture
def project() -> Project:
    return make_project(12)


def open_job(project: Project) -> Job:
    return chunks.open_job(project, Job.Kind.LINK, linking.prepare(project), follow=False)


def answer(request: dict[str, Any]) -> None:
    workers.deliver(workers.answer(request, Bo="person"))


def retry(request: dict[str, Any], **fields: Any) -> None:
    workers.deliver(workers.outcome(request, Outcome.RETRY, **({"reason": "HTTP 429"} | fields)))


def fail(request: dict[str, Any], **fields: Any) -> None:
    retry(request, **({"reason": "HTTP 503", "server_failed": True} | fields))


def due() -> None:
    """Lets the time pass that chunks and the server's pause are waiting for."""
    Chunk.objects.update(not_before=None)
    Pace.objects.update(not_before=timezone.now())


def seconds_left() -> float:
    return (Pace.objects.get().not_before - timezone.now()).total_seconds()


# --- What the server said ----------------------------------------------------------------------
def test_retry_after_holds_for_every_project_that_asks_the_server(
    project: Project, broker: Broker
) -> None:
    link(project)
    first, second, *_ = broker.all("llm")
    retry(first, retry_after=60.0)
    answer(second)
    link(make_project(1))
    pipeline.sweep()
    assert broker.take("llm") is None
    assert 55 < seconds_left() <= 60
    due()
    pipeline.sweep()
    assert len(broker.all("llm")) == 2  # two of the first four are still under way


def test_one_project_never_reads_what_the_server_said_of_anothers_request(
    project: Project, broker: Broker
) -> None:
    """An error may quote the request it is about."""
    link(project)
    said = "the LLM server failed (HTTP 500, cannot read “Ada met Bo 0.”)"
    for request in broker.all("llm"):
        fail(request, reason=said, trouble="the LLM server failed (HTTP 500)")
    trouble = pace.trouble(make_project(1))
    assert trouble is not None
    assert (
        trouble.what == "The LLM server failed 4 times in a row (the LLM server failed (HTTP 500))"
    )
    assert LLMCall.objects.filter(project=project, reason=said).count() == 4


def test_a_shorter_wait_does_not_end_a_longer_one(project: Project, broker: Broker) -> None:
    link(project)
    first, second, third, _ = broker.all("llm")
    retry(first, retry_after=60.0)
    retry(second, retry_after=1.0)
    answer(third)
    assert 55 < seconds_left() <= 60


def test_recorded_answers_wait_for_nobody(project: Project, broker: Broker) -> None:
    link(project)
    retry(broker.all("llm")[0], retry_after=60.0)
    recorded = make_project(6)
    recorded.provider, recorded.recording = Project.Provider.RECORDED, "demo"
    recorded.save()
    link(recorded)
    request = broker.all("llm")[0]
    retry(request, retry_after=60.0, server_failed=True)
    assert Pace.objects.get().provider == Project.Provider.OPENAI


def test_an_llm_that_is_turned_off_has_no_pace(project: Project, broker: Broker) -> None:
    job = open_job(project)
    Project.objects.update(provider=Project.Provider.NONE)
    pipeline.sweep()
    job.refresh_from_db()
    assert job.state == "failed"
    assert not Pace.objects.exists()


def test_a_request_that_was_not_sent_is_no_try_and_costs_nothing(
    project: Project, broker: Broker
) -> None:
    project.documents.exclude(pk=project.documents.first().pk).delete()
    job = link(project)
    for _ in range(asking.MAX_TRIES + 2):
        request = broker.take("llm") or {}
        workers.deliver(workers.outcome(request, Outcome.WAIT, retry_after=9.0, sent=False))
        due()
        pipeline.sweep()
    assert set(LLMCall.objects.exclude(state="sent").values_list("state", "micros")) == {
        ("unsent", 0)
    }
    answer(broker.take("llm") or {})
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 1)


def test_no_connection_is_no_try_either(project: Project, broker: Broker) -> None:
    link(project)
    fail(broker.all("llm")[0], sent=False)
    assert LLMCall.objects.exclude(state="sent").get().state == "unsent"
    assert Pace.objects.get().failures == 1


# --- Failures in a row -------------------------------------------------------------------------
def break_open(project: Project, broker: Broker) -> None:
    link(project)
    while Pace.objects.get().failures < pace.ENOUGH:
        fail(broker.take("llm") or {})
    broker.all("llm")
    Chunk.objects.filter(state="sent").update(state="pending", lease_until=None)


def test_after_five_failures_the_server_is_left_alone_longer_and_longer(
    project: Project, broker: Broker
) -> None:
    break_open(project, broker)
    waits = []
    for _ in range(7):
        waits.append(round(seconds_left()))
        pipeline.sweep()
        assert broker.take("llm") is None
        due()
        pipeline.sweep()
        [probe] = broker.all("llm")
        LLMCall.objects.all().exclude(chunk=probe["chunk"], attempt=probe["attempt"]).delete()
        fail(probe)
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_one_request_tries_it_and_an_answer_brings_back_the_others(
    project: Project, broker: Broker
) -> None:
    break_open(project, broker)
    due()
    pipeline.sweep()
    [probe] = broker.all("llm")
    answer(probe)
    assert Pace.objects.get().failures == 0
    assert len(broker.all("llm")) == 4


def test_failures_of_requests_under_way_when_it_was_left_alone_do_not_count(
    project: Project, broker: Broker, settings: Any
) -> None:
    settings.LLM_CONCURRENCY = 12
    link(project)
    requests = broker.all("llm")
    assert len(requests) == 12
    for request in requests:
        fail(request)
    assert Pace.objects.get().failures == pace.ENOUGH
    assert seconds_left() <= 30


@pytest.mark.parametrize("fields", [{}, {"retry_after": 0.0}])
def test_what_is_not_the_servers_fault_never_stops_it(
    project: Project, broker: Broker, fields: dict[str, Any]
) -> None:
    link(project)
    for _ in range(2 * pace.ENOUGH):
        retry(broker.take("llm") or {}, **fields)
    workers.deliver(workers.outcome(broker.take("llm") or {}, Outcome.SPLIT))
    assert not Pace.objects.filter(failures__gt=0).exists()


def test_an_answer_in_between_begins_the_count_anew(project: Project, broker: Broker) -> None:
    link(project)
    for _ in range(pace.ENOUGH - 1):
        fail(broker.take("llm") or {})
    answer(broker.take("llm") or {})
    fail(broker.take("llm") or {})
    assert Pace.objects.get().failures == 1


# --- How many at once --------------------------------------------------------------------------
def test_no_more_are_under_way_than_allowed_over_all_projects(broker: Broker) -> None:
    projects = [make_project(5) for _ in range(3)]
    for each in projects:
        link(each)
    assert len(broker.all("llm")) == 4


def test_a_lease_that_ran_out_makes_room(project: Project, broker: Broker) -> None:
    link(project)
    broker.all("llm")
    link(make_project(2))
    assert broker.take("llm") is None
    Chunk.objects.filter(state="sent").update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.sweep()
    assert len(broker.all("llm")) == 4


def test_what_is_not_sent_for_want_of_a_budget_takes_no_place(broker: Broker) -> None:
    """Four clicks in a project whose budget is spent would keep all others waiting."""
    Price.objects.create(model=factories.MODEL, since=date(2020, 1, 1), prompt=1, completion=1)
    poor = make_project(1)
    poor.monthly_budget = Decimal(0)
    poor.save()
    for _ in range(4):
        link(poor)
    assert [job.state for job in Job.objects.all()] == ["failed"] * 4
    link(make_project(4))
    assert len(broker.all("llm")) == 4


def test_jobs_take_turns(broker: Broker, settings: Any) -> None:
    settings.LLM_CONCURRENCY = 1
    jobs = [link(make_project(4)) for _ in range(3)]
    turns = []
    while request := broker.take("llm"):
        turns.append(Chunk.objects.get(pk=request["chunk"]).job_id)
        answer(request)
    assert len(turns) == 12
    assert [len(set(turns[at : at + 3])) for at in range(0, 12, 3)] == [3, 3, 3, 3]
    assert set(Job.objects.filter(pk__in=[j.pk for j in jobs]).values_list("state")) == {("done",)}


@pytest.mark.django_db(transaction=True)
def test_sixteen_that_claim_at_once_take_no_more_than_allowed(broker: Broker) -> None:
    jobs = [open_job(make_project(3)) for _ in range(4)]

    def claim_all(job: Job) -> int:
        return sum(pace.claim(job) is not None for _ in range(5))

    claimed = at_once([lambda job=job: claim_all(job) for job in jobs * 4])
    assert sum(claimed) == 4
    assert Chunk.objects.filter(state="sent").count() == 4


# --- What people see ---------------------------------------------------------------------------
def test_the_page_says_why_nothing_is_asked(
    client: Client, project: Project, broker: Broker
) -> None:
    owner = factories.make_user()
    factories.add_member(project, owner, "owner")
    client.force_login(owner)
    at = f"/projects/{project.slug}/"
    link(project)
    assert 'id="waiting"' not in client.get(at).content.decode()
    retry(broker.take("llm") or {}, retry_after=60.0)
    assert "The LLM server is left alone until" in client.get(at).content.decode()
    due()
    for _ in range(pace.ENOUGH):
        pipeline.sweep()
        fail(broker.take("llm") or {})
        Chunk.objects.update(not_before=None)
    page = client.get(at).content.decode()
    assert "The LLM server failed 5 times in a row (HTTP 503). It is asked again at" in page
    assert "HTTP 503" in client.get(f"{at}model/").content.decode()
    pipeline.pause(project.jobs.get())
    assert 'id="waiting"' not in client.get(at).content.decode()

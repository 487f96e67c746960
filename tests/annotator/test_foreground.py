"""One step of the loop in this process: without broker or worker, through the same code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotator import chunks, foreground, linking, pipeline
from annotator.models import Chunk, Document, Job, LLMCall, Project
from mlworker.schema import Outcome
from mlworker.tasks import llm
from tests import factories
from tests.annotator import workers

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project)
    return project


@pytest.fixture
def document(project: Project) -> Document:
    document = factories.make_document(project, status="tagged")
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    factories.make_prediction(document, "Oslo", "place", uncertainty=0.7)
    return document


def ask_with(monkeypatch: pytest.MonkeyPatch, *results: Any) -> None:
    """Puts in the LLM's place what makes a result of a request; the last one stays."""
    waiting = list(results)

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        make = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return {"ok": make(request).to_json()}

    monkeypatch.setattr(llm, "ask", ask)


def told(request: dict[str, Any]) -> Any:
    return workers.answer(request, Bo="person", Oslo="place")


def run(project: Project) -> Job:
    return foreground.run_here(project, Job.Kind.LINK, lambda _: None)


def test_a_step_runs_to_its_end_and_is_not_followed(
    document: Document, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS = 1
    ask_with(monkeypatch, told)
    told_of: list[tuple[str, int]] = []
    job = foreground.run_here(
        document.project, Job.Kind.LINK, lambda job: told_of.append((job.state, job.done))
    )
    assert (job.state, job.done, job.follow) == ("done", 2, False)
    assert told_of[-1] == ("done", 2)
    assert Job.objects.count() == 1
    assert {m.source for m in document.mentions.all()} == {"llm"}


def test_recorded_answers_are_read_in_the_foreground_too(document: Document) -> None:
    """The real task: nobody recorded anything about this text, so people are asked."""
    job = run(document.project)
    assert (job.state, job.done) == ("done", 2)
    assert {q.state for q in document.questions.all()} == {"unresolved"}
    assert all(q.reason for q in document.questions.all())
    assert LLMCall.objects.get().state == "answered"


def test_a_postponed_chunk_is_waited_for(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(request: dict[str, Any]) -> Any:
        return workers.outcome(request, Outcome.RETRY, retry_after=0.3)

    ask_with(monkeypatch, busy, told)
    job = run(document.project)
    assert (job.state, job.done) == ("done", 2)
    assert [c.state for c in LLMCall.objects.order_by("attempt")] == ["failed", "answered"]


def test_an_interrupted_step_is_cancelled(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(request: dict[str, Any]) -> Any:
        raise KeyboardInterrupt

    ask_with(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(document.project)
    assert Job.objects.get().state == "cancelled"
    ask_with(monkeypatch, told)
    assert run(document.project).done == 2


def test_a_job_that_somebody_is_at_is_busy_and_an_abandoned_one_is_taken_over(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_with(monkeypatch, told)
    abandoned = chunks.open_job(document.project, Job.Kind.LINK, linking.prepare(document.project))
    chunks.claim(abandoned)
    with pytest.raises(pipeline.Busy):
        run(document.project)
    Chunk.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    job = run(document.project)
    assert (job, job.state, job.done) == (abandoned, "done", 2)
    assert [c.attempts for c in job.chunks.all()] == [2]


def test_a_task_that_fails_is_reported(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(request: dict[str, Any]) -> dict[str, Any]:
        work = {"chunk": request["chunk"], "attempt": request["attempt"]}
        return {"failure": work | {"error": "ValueError: no"}}

    monkeypatch.setattr(llm, "ask", failing)
    job = run(document.project)
    assert (job.state, job.failed, job.note) == ("failed", 2, "ValueError: no")

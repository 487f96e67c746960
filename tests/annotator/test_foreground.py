"""One step of the loop in this process: without broker or worker, through the same code."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Event, Semaphore
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotator import chunks, foreground, linking, pace
from annotator.models import Chunk, Document, Job, LLMCall, Project
from annotator.refusals import Busy
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
    with pytest.raises(Busy):
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


def test_questions_are_asked_several_at_a_time_as_many_as_may_be(
    project: Project, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS, settings.LLM_CONCURRENCY = 1, 3
    for n in range(7):
        document = factories.make_document(project, f"Ada met Bo {n}.", status="tagged")
        factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    met, under_way, most = Barrier(3), Semaphore(3), []

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        most.append(under_way.acquire(blocking=False))
        if len(most) <= 3:
            met.wait(20)  # the first three are under way together, or this breaks
        under_way.release()
        return {"ok": told(request).to_json()}

    monkeypatch.setattr(llm, "ask", ask)
    job = run(project)
    assert (job.state, job.done, most) == ("done", 7, [True] * 7)


def test_answers_under_way_when_it_is_interrupted_are_kept(
    document: Document, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS = 1
    interrupted = Event()

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        if request["questions"][0]["start"] == 0:
            interrupted.wait(20)
            return {"ok": workers.answer(request, Ada="person").to_json()}
        interrupted.set()
        raise KeyboardInterrupt

    factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    monkeypatch.setattr(llm, "ask", ask)
    with pytest.raises(KeyboardInterrupt):
        run(document.project)
    assert Job.objects.get().state == "cancelled"
    assert document.questions.get(start=0).answer == "person"


# --- A server that stays away ------------------------------------------------------------------
@pytest.fixture
def live(document: Document, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Document:
    """The document's project asks the operator's server, with little patience."""
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", "m"
    settings.CHUNK_QUESTIONS = 1
    Project.objects.update(provider=Project.Provider.OPENAI)
    monkeypatch.setattr(pace, "ENOUGH", 2)
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.3)
    return Document.objects.get(pk=document.pk)


def no_connection(request: dict[str, Any]) -> Any:
    fields = {"reason": "no connection", "billed": False, "sent": False, "server_failed": True}
    return workers.outcome(request, Outcome.RETRY, **fields)


def test_a_server_that_comes_back_is_waited_for(
    live: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    ask_with(monkeypatch, *[no_connection] * 3, told)
    job = foreground.run_here(live.project, Job.Kind.LINK, lambda job: notes.append(job.note))
    assert (job.state, job.done, job.note) == ("done", 2, "")
    assert any("The LLM server failed 2 times in a row (no connection)" in note for note in notes)
    assert sorted(LLMCall.objects.values_list("state", flat=True)) == [
        *["answered"] * 2,
        *["unsent"] * 3,
    ]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (no_connection, r"The LLM server failed \d times in a row \(no connection\)\."),
        (
            lambda request: workers.outcome(request, Outcome.RETRY, retry_after=600.0),
            r"The LLM server is left alone until \d\d:\d\d:\d\d UTC \(the server said so\)\.",
        ),
    ],
)
def test_a_server_that_stays_away_ends_the_command_and_people_are_told(
    live: Document, monkeypatch: pytest.MonkeyPatch, result: Any, says: str
) -> None:
    monkeypatch.setattr(foreground, "PATIENCE_SECONDS", 3.0)
    ask_with(monkeypatch, result)
    says += r" What is left goes to people; ask again when the server is back\."
    with pytest.raises(CommandError, match=says):
        call_command("link", live.project.name)
    assert Job.objects.get().state == "failed"
    mentions = live.mentions.all()
    assert [m.needs_person for m in mentions] == [True, True]
    assert all("The LLM gave no answer: The LLM server" in m.reason for m in mentions)
    assert {q.state for q in live.questions.all()} == {"open"}, "they are asked the next time"

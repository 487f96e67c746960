"""A project that asks the installation's own LLM: on the queue `gpu`, for nothing, with shares."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from annotator import chunks, foreground, linking, pipeline, steps, trying
from annotator.models import Document, Job, LLMCall, Price, Project, Question, WorkerBeat
from annotator.refusals import Impossible
from annotator.views import activity
from mlworker import progress
from mlworker.llm import chat
from mlworker.schema import NO_ENTITY, Outcome
from mlworker.tasks import llm
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker, link
from tests.mlworker.llm.chat_model import make_chat_model

pytestmark = pytest.mark.django_db

OPTIONS = {*factories.LABELS, NO_ENTITY}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_chat_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(autouse=True)
def _own_llm(folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LLM_BASE_URL, settings.LLM_FOLDER = "", str(folder)
    monkeypatch.setenv("LLM_FOLDER", str(folder))
    chat.load.cache_clear()


@pytest.fixture
def project() -> Project:
    owner = factories.make_user("owner", is_superuser=True)
    project = factories.make_project(provider=Project.Provider.TRANSFORMERS, owner=owner)
    factories.make_version(project)
    return project


@pytest.fixture
def document(project: Project) -> Document:
    document = factories.make_document(project, status="tagged")
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    factories.make_prediction(document, "Oslo", "place", uncertainty=0.7)
    return document


@pytest.fixture
def page(client: Client, project: Project) -> Any:
    client.force_login(project.memberships.get().user)

    def page(name: str = "project") -> str:
        arguments = [] if name == "new_project" else [project.slug]
        return client.get(reverse(f"annotator:{name}", args=arguments)).content.decode()

    return page


def work(request: dict[str, Any]) -> None:
    """The worker's real answer to a message, brought back as one."""
    with progress.listening(lambda _: None):
        pipeline.deliver(json.loads(json.dumps(llm.ask(request))))


# --- Asking -------------------------------------------------------------------------------------
def test_the_gpu_worker_is_asked_and_its_shares_are_stored(
    document: Document, broker: Broker
) -> None:
    job = link(document.project)
    assert broker.take("llm") is None
    request = broker.take("gpu") or {}
    assert (request["provider"], request["model"]) == ("transformers", "tiny")
    assert broker.expires is None, "what costs nothing may wait behind a training"
    work(request)
    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("done", 2, 0)
    for question in document.questions.all():
        assert question.state == Question.State.ANSWERED
        assert question.probabilities.keys() == OPTIONS
        assert sum(question.probabilities.values()) == pytest.approx(1)
        assert question.probability == question.probabilities[question.answer]
        assert question.answer == max(OPTIONS, key=question.probabilities.__getitem__)


def test_it_is_in_the_ledger_and_costs_nothing_whatever_a_server_of_its_name_would(
    document: Document, broker: Broker
) -> None:
    Project.objects.update(monthly_budget=Decimal(0))
    price = {"prompt": Decimal(1000), "completion": Decimal(1000)}
    Price.objects.create(model="tiny", since=timezone.localdate(), **price)
    document.project.refresh_from_db()
    link(document.project)
    work(broker.take("gpu") or {})
    call = LLMCall.objects.get()
    assert (call.provider, call.model, call.state) == ("transformers", "tiny", "answered")
    assert call.prompt_tokens > call.completion_tokens == 0
    assert call.micros == 0
    assert not document.project.spendings.exists()


def test_prompts_are_tried_on_it(page: Any, project: Project, broker: Broker) -> None:
    document = factories.make_gold(project, "Bo met Ada.", ("Bo", "person"), split="dev")
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    prompt = factories.make_prompt(project)
    assert "No LLM is asked in this project" not in page("prompt")
    assert f'aria-label="Try {prompt}"' in page("prompt")
    job = pipeline.try_prompt(project, prompt, project.memberships.get().user)
    pipeline.dispatch(job)
    while request := broker.take("gpu"):
        work(request)
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 2)
    found = trying.results(project.trials.get())
    assert [side.answered for side in found.sides] == [1, 1]
    assert [side.micros for side in found.sides] == [0, 0]
    assert "costs nothing" in page("prompt")


def test_where_it_is_gone_nothing_is_tried(project: Project, settings: Settings) -> None:
    settings.LLM_FOLDER = ""
    prompt = factories.make_prompt(project)
    with pytest.raises(Impossible, match="Set LLM_FOLDER"):
        trying.draw(project, prompt)


def test_in_the_foreground(document: Document) -> None:
    job = foreground.run_here(document.project, Job.Kind.LINK, lambda _: None)
    assert (job.state, job.done) == ("done", 2)
    assert all(question.probabilities for question in document.questions.all())


def test_what_it_cannot_answer_is_not_asked_again(document: Document, broker: Broker) -> None:
    job = link(document.project)
    workers.deliver(workers.answer(broker.take("gpu") or {}, Bo="person"))
    job.refresh_from_db()
    assert (job.state, broker.take("gpu")) == ("done", None)
    states = {q.state: q.probabilities for q in document.questions.all()}
    assert states == {"answered": None, "unresolved": None}
    assert Question.objects.filter(probabilities__isnull=True).count() == 2


def test_a_worker_that_has_another_model_ends_the_job(
    document: Document, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = link(document.project)
    monkeypatch.setenv("LLM_FOLDER", "/models/other")
    work(broker.take("gpu") or {})
    job.refresh_from_db()
    assert job.state == "failed"
    assert "LLM_FOLDER of this worker is /models/other" in job.note
    assert {q.state for q in document.questions.all()} == {"open"}
    call = LLMCall.objects.get()
    assert (call.state, call.reason) == ("failed", job.note)


def test_no_memory_is_tried_again_on_the_same_queue(document: Document, broker: Broker) -> None:
    job = link(document.project)
    workers.deliver(workers.outcome(broker.take("gpu") or {}, Outcome.RETRY, reason="no memory"))
    job.chunks.update(not_before=timezone.now())
    pipeline.sweep()
    assert (broker.take("gpu") or {})["attempt"] == 2


def test_it_waits_behind_a_training_of_another_project(document: Document, broker: Broker) -> None:
    other = factories.make_project()
    for number in range(10):
        factories.make_document(other, f"Gold {number}", status="gold", split="train")
    pieces = steps.STEPS[Job.Kind.TRAIN].prepare(other)
    pipeline.dispatch(chunks.open_job(other, Job.Kind.TRAIN, pieces))
    workers.begin(broker.take("gpu") or {})
    job = link(document.project)
    broker.take("gpu")
    job.chunks.update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.sweep()
    assert [chunk.attempts for chunk in job.chunks.all()] == [1]


def test_its_work_keeps_the_gpu_queue_moving(document: Document, broker: Broker) -> None:
    link(document.project)
    workers.begin(broker.take("gpu") or {})
    assert pipeline.queue_moves("gpu")
    assert not pipeline.queue_moves("llm")


def test_without_a_folder_it_cannot_start(project: Project, settings: Settings) -> None:
    settings.LLM_FOLDER = ""
    with pytest.raises(Impossible, match=r"this machine[.] Set LLM_FOLDER, then"):
        linking.prepare(project)


# --- Choosing -----------------------------------------------------------------------------------
def test_the_page_says_that_no_text_leaves(page: Any, project: Project, client: Client) -> None:
    Project.objects.update(provider="")
    assert "tiny, on this installation&#x27;s own machine" in page()
    assert "no text leaves this installation" in page()
    assert "tiny runs on <strong>this machine</strong>" in page("new_project")
    client.post(reverse("annotator:choose_llm", args=[project.slug]), {"provider": "transformers"})
    project.refresh_from_db()
    assert project.provider == "transformers"


def test_it_is_offered_only_where_there_is_one(
    page: Any, project: Project, client: Client, settings: Settings
) -> None:
    Project.objects.update(provider="")
    settings.LLM_FOLDER = ""
    assert "own machine" not in page()
    assert "No LLM is set up here" in page("new_project")
    client.post(reverse("annotator:choose_llm", args=[project.slug]), {"provider": "transformers"})
    project.refresh_from_db()
    assert project.provider == ""


def test_the_llm_of_a_new_project_is_the_one_that_is_there(
    tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text("- person")
    call_command("create_project", "Here", "--labels", str(file), "--llm", stdout=StringIO())
    settings.LLM_BASE_URL = "http://127.0.0.1:1/v1"
    call_command("create_project", "There", "--labels", str(file), "--llm", stdout=StringIO())
    asked = Project.objects.order_by("name").values_list("provider", flat=True)
    assert [*asked] == ["transformers", "openai"]


def test_the_worker_that_is_missed_is_the_one_that_would_answer(
    page: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(activity, "STARTED", now - timedelta(hours=1))
    for queue in ("default", "gpu"):
        WorkerBeat.objects.create(queue=queue, seen_at=now)
    assert "No worker is running" not in page()
    WorkerBeat.objects.filter(queue="gpu").update(seen_at=now - timedelta(minutes=2))
    assert "for training and tagging or for asking the LLM" in page()

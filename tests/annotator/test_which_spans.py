"""Which spans the LLM is asked about: never by what gold says, and none of a label left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator import chunks, linking, pipeline
from annotator.models import Document, Job, LLMCall, Project, Threshold
from annotator.refusals import Impossible
from mlworker.schema import AskRequest
from tests import factories
from tests.annotator import workers
from tests.annotator.linked import make_project, questions, shown, tagged, to_ask
from tests.annotator.workers import Broker, link

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def document(project: Project) -> Document:
    return tagged(project)


def test_routed_spans_of_documents_under_review_are_asked(document: Document) -> None:
    assert to_ask(document.project) == {(document.pk, "Bo"), (document.pk, "Oslo")}


def test_the_threshold_decides(document: Document) -> None:
    version = document.project.serving
    Threshold.objects.create(version=version, method=document.project.method, tau=0.9)
    assert to_ask(document.project) == {(document.pk, "Oslo")}


def test_planted_gold_changes_nothing_that_is_asked(project: Project) -> None:
    rows = [tagged(project) for _ in range(3)]
    before = to_ask(project)
    assert len(before) == 6
    for document, surface, label in (
        (rows[0], "Bo", "group"),
        (rows[1], "Oslo", "place"),
        (rows[2], "Nobody", "person"),
    ):
        factories.make_mention(document, surface, label, state="accepted", source="person")
        Document.objects.filter(pk=document.pk).update(status="tagged")
    assert to_ask(project) == before


def test_of_gold_only_the_held_out_and_routed_spans_of_the_test_are_asked(
    project: Project,
) -> None:
    tagged(project, status="gold", split="train")
    test = tagged(project, status="gold", split="test")
    held_out = tagged(project, status="gold", split="dev")
    on_held_out = {(held_out.pk, surface) for surface in ("Ada", "Bo", "Oslo")}
    assert to_ask(project) == on_held_out  # first: τ is chosen from its answers
    linking.write_questions(project)
    held_out.questions.update(state="answered", answer="person")
    assert to_ask(project) == {(test.pk, "Bo"), (test.pk, "Oslo")}


def test_which_gold_is_in_held_out_documents_does_not_matter(project: Project) -> None:
    held_out = tagged(project, status="gold", split="dev")
    before = to_ask(project)
    factories.make_mention(held_out, "Nobody", "person", state="accepted")
    factories.make_mention(held_out, "Bo", "group", state="accepted")
    assert to_ask(project) == before


def test_nothing_is_asked_without_a_threshold(document: Document) -> None:
    Threshold.objects.all().delete()
    assert to_ask(document.project) == set()


# --- Questions that wait -----------------------------------------------------------------------
def reviewed(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(status="gold", split="train")


def surer(document: Document) -> None:
    """τ is such that no mention is routed any more; the candidate is."""
    version = document.project.serving
    Threshold.objects.create(version=version, method=document.project.method, tau=0.9)


@pytest.mark.parametrize(("happens", "left"), [(reviewed, []), (surer, ["Oslo"])])
def test_a_question_that_waits_is_not_sent_once_its_answer_is_of_no_use(
    document: Document, happens: Callable[[Document], None], left: list[str]
) -> None:
    project = document.project
    linking.write_questions(project)
    happens(document)
    asked = [pk for piece in linking.prepare(project) for pk in piece]
    assert asked == [questions(document)[surface].pk for surface in left]


@pytest.mark.parametrize(("happens", "left"), [(reviewed, []), (surer, ["Oslo"])])
def test_nor_when_its_job_was_paused_meanwhile(
    document: Document,
    broker: Broker,
    settings: Any,
    happens: Callable[[Document], None],
    left: list[str],
) -> None:
    settings.CHUNK_QUESTIONS = 2
    job = chunks.open_job(document.project, Job.Kind.LINK, linking.prepare(document.project))
    assert pipeline.pause(job)
    happens(document)
    assert pipeline.resume(job)
    pipeline.dispatch(job)
    sent = [AskRequest.from_json(request) for request in broker.all("llm")]
    asked = [question.id for request in sent for question in request.questions]
    assert asked == [questions(document)[surface].pk for surface in left]
    assert LLMCall.objects.count() == len(sent)
    job.refresh_from_db()
    assert job.is_running == bool(left)


def test_it_is_sent_while_a_twin_waits_for_its_answer(document: Document, broker: Broker) -> None:
    twin = tagged(document.project)
    job = chunks.open_job(document.project, Job.Kind.LINK, linking.prepare(document.project))
    reviewed(document)
    pipeline.dispatch(job)
    workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person", Oslo="place"))
    assert {q.answer for q in questions(twin).values()} == {"person", "place"}


def test_what_got_no_answer_is_not_opened_again_for_a_reviewed_document(document: Document) -> None:
    linking.write_questions(document.project)
    document.questions.update(state="unresolved", reason="no")
    other = tagged(document.project, "It rained. Ada met Bo in Oslo. Nobody else came. At all.")
    linking.write_questions(document.project)
    other.questions.update(state="unresolved", reason="no")
    reviewed(document)
    assert linking.reopen(document.project) == 2
    assert {q.state for q in other.questions.all()} == {"open"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"provider": ""}, "asks no LLM"),
        ({"provider": "openai"}, "No LLM server is set up. Set LLM_BASE_URL"),
        ({"serving": None}, "no model yet"),
    ],
)
def test_asking_cannot_start_without(
    project: Project, settings: Any, fields: dict[str, Any], says: str
) -> None:
    settings.LLM_BASE_URL = ""
    for name, value in fields.items():
        setattr(project, name, value)
    with pytest.raises(Impossible, match=says):
        linking.prepare(project)


# --- Labels that are left out -------------------------------------------------------------------
def leave_out(project: Project, name: str) -> None:
    linking.ask_about(project.labels.get(name=name), ask=False)


def test_a_label_that_is_left_out_is_not_asked_about(document: Document) -> None:
    leave_out(document.project, "person")
    assert to_ask(document.project) == {(document.pk, "Oslo")}
    linking.ask_about(document.project.labels.get(name="person"), ask=True)
    assert to_ask(document.project) == {(document.pk, "Bo"), (document.pk, "Oslo")}


def test_candidates_have_no_local_label_that_could_be_left_out(document: Document) -> None:
    leave_out(document.project, "place")
    assert to_ask(document.project) == {(document.pk, "Bo"), (document.pk, "Oslo")}


def test_held_out_gold_is_asked_about_every_label_and_the_test_as_documents_are(
    project: Project,
) -> None:
    leave_out(project, "person")
    test = tagged(project, status="gold", split="test")
    held_out = tagged(project, status="gold", split="dev")
    assert to_ask(project) == {(held_out.pk, surface) for surface in ("Ada", "Bo", "Oslo")}
    linking.write_questions(project)
    held_out.questions.update(state="answered", answer="person")
    assert to_ask(project) == {(test.pk, "Oslo")}


def test_a_question_that_waits_is_not_sent_once_its_label_is_left_out(document: Document) -> None:
    project = document.project
    linking.write_questions(project)
    leave_out(project, "person")
    (piece,) = linking.prepare(project)
    assert piece == [questions(document)["Oslo"].pk]


def test_what_is_left_out_goes_to_a_person_who_is_told_why(
    document: Document, broker: Broker
) -> None:
    link(document.project)
    workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person", Oslo="place"))
    assert not shown(document)["Bo"].needs_person
    leave_out(document.project, "person")
    bo = shown(document)["Bo"]
    assert (bo.needs_person, bo.question, bo.label.name) == (True, None, "person")
    assert "in this project it is not asked about person" in bo.reason
    linking.ask_about(document.project.labels.get(name="person"), ask=True)
    assert not shown(document)["Bo"].needs_person

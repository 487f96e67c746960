"""Labels that the LLM is not asked about: who decides such spans, and what goes on being asked."""

from __future__ import annotations

from typing import Any

import pytest

from annotator import linking, pipeline
from annotator.models import Document, Job, Mention, Project, Question
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

TEXT = "Ada met Bo in Oslo."


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project, tau=0.4)
    return project


@pytest.fixture
def document(project: Project) -> Document:
    """Ada is sure, Bo and Oslo are routed."""
    return tagged(project)


def tagged(project: Project, **fields: Any) -> Document:
    document = factories.make_document(project, TEXT, **({"status": "tagged"} | fields))
    factories.make_prediction(document, "Ada", "person", uncertainty=0.1)
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    factories.make_prediction(document, "Oslo", "place", lane="candidate")
    return document


def surfaces(project: Project) -> set[tuple[int, str]]:
    return {(p.tagging.document_id, TEXT[p.start : p.end]) for p in linking.to_ask(project)}


def questions(document: Document) -> dict[str, Question]:
    return {TEXT[q.start : q.end]: q for q in document.questions.all()}


def shown(document: Document) -> dict[str, Mention]:
    return {m.surface: m for m in document.mentions.all()}


def link(project: Project) -> Job:
    job = pipeline.chunks.open_job(project, Job.Kind.LINK, linking.prepare(project), follow=False)
    pipeline.dispatch(job)
    return job


def leave_out(project: Project, name: str) -> None:
    linking.ask_about(project.labels.get(name=name), ask=False)


def test_a_label_that_is_left_out_is_not_asked_about(document: Document) -> None:
    leave_out(document.project, "person")
    assert surfaces(document.project) == {(document.pk, "Oslo")}
    linking.ask_about(document.project.labels.get(name="person"), ask=True)
    assert surfaces(document.project) == {(document.pk, "Bo"), (document.pk, "Oslo")}


def test_candidates_have_no_local_label_that_could_be_left_out(document: Document) -> None:
    leave_out(document.project, "place")
    assert surfaces(document.project) == {(document.pk, "Bo"), (document.pk, "Oslo")}


def test_held_out_gold_is_asked_about_every_label_and_the_test_as_documents_are(
    project: Project,
) -> None:
    leave_out(project, "person")
    test = tagged(project, status="gold", split="test")
    held_out = tagged(project, status="gold", split="dev")
    assert surfaces(project) == {(held_out.pk, surface) for surface in ("Ada", "Bo", "Oslo")}
    linking.write_questions(project)
    held_out.questions.update(state="answered", answer="person")
    assert surfaces(project) == {(test.pk, "Oslo")}


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

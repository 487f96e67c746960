"""What the LLM is asked, what it is shown, and what becomes of whatever it says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotator import linking, pipeline
from annotator.models import Chunk, Document, Job, LLMCall, Project, Question
from mlworker.llm import outcomes
from mlworker.llm.prompt import built_in
from mlworker.schema import NO_ENTITY, AskRequest, Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.linked import SENTENCE, TEXT, make_project, questions, shown, tagged, to_ask
from tests.annotator.workers import Broker, link

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def document(project: Project) -> Document:
    return tagged(project)


# --- What is sent ------------------------------------------------------------------------------
def test_only_the_sentence_is_sent_and_all_labels_offered(
    document: Document, broker: Broker
) -> None:
    link(document.project)
    request = AskRequest.from_json(broker.take("llm") or {})
    assert [q.context for q in request.questions] == [SENTENCE] * 2
    assert [q.context[q.start : q.end] for q in request.questions] == ["Bo", "Oslo"]
    assert [(label.name, label.description) for label in request.labels] == [
        (name, f"Names of a {name}.") for name in factories.LABELS
    ]
    assert (request.provider, request.model) == ("recorded", "demo")
    assert request.prompt == built_in("choice.v2")
    call = LLMCall.objects.get()
    assert (call.state, call.attempt, call.questions_count) == ("sent", 1, 2)


def test_questions_go_out_several_at_a_time(
    project: Project, broker: Broker, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS = 4
    for verb in ("met", "saw", "led"):
        tagged(project, TEXT.replace("met", verb))
    link(project)
    assert [len(request["questions"]) for request in broker.all("llm")] == [4, 2]


def test_a_question_that_waited_out_its_lease_is_not_asked_and_paid_for(
    document: Document, broker: Broker
) -> None:
    link(document.project)
    broker.take("llm")
    lease = Chunk.objects.get().lease_until
    assert lease is not None
    assert broker.expires is not None, "an old message would be asked beside the one sent anew"
    late = datetime.fromisoformat(broker.expires) - lease
    assert abs(late) < timedelta(seconds=5)


def test_an_answered_span_is_never_asked_again(document: Document, broker: Broker) -> None:
    project = document.project
    link(project)
    workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person", Oslo="place"))
    factories.make_version(project, tau=0.0)  # another version reads the same
    factories.make_prediction(document, "Bo", "group", uncertainty=0.9)
    assert to_ask(project) == set()
    assert linking.prepare(project) == []


@pytest.mark.parametrize(
    "change", [{"description": "Cities, towns and rivers."}, {"name": "location"}]
)
def test_other_options_ask_anew(document: Document, broker: Broker, change: dict[str, str]) -> None:
    project = document.project
    link(project)
    workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person", Oslo="place"))
    project.labels.filter(name="place").update(**change)
    assert len(to_ask(project)) == 2
    link(project)
    assert Question.objects.count() == 4


# --- What is said ------------------------------------------------------------------------------
def test_answers_become_suggestions(document: Document, broker: Broker) -> None:
    job = link(document.project)
    workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person", Oslo=NO_ENTITY))
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 2)
    assert {s: (m.source, m.needs_person) for s, m in shown(document).items()} == {
        "Ada": ("local", False),
        "Bo": ("llm", False),
    }
    call = LLMCall.objects.get()
    assert (call.state, call.prompt_tokens, call.completion_tokens, call.latency_ms) == (
        "answered",
        100,
        10,
        250,
    )
    assert {q.call for q in Question.objects.all()} == {call}


def test_a_doubled_answer_is_settled_once(document: Document, broker: Broker) -> None:
    job = link(document.project)
    request = broker.take("llm") or {}
    workers.deliver(workers.answer(request, Bo="person", Oslo="place"))
    workers.deliver(workers.answer(request, Bo="group"))
    job.refresh_from_db()
    assert (job.done, LLMCall.objects.count()) == (2, 1)
    assert questions(document)["Bo"].answer == "person"


@pytest.mark.parametrize(
    ("said", "reason"),
    [({}, "the LLM was silent"), ({"Bo": "dragon", "Oslo": "Place"}, "its label is not in this")],
)
def test_what_is_no_answer_goes_to_people_with_its_reason(
    document: Document, broker: Broker, said: dict[str, str], reason: str
) -> None:
    link(document.project)
    workers.deliver(workers.answer(broker.take("llm") or {}, **said))
    assert {q.state for q in document.questions.all()} == {"unresolved"}
    bo, oslo = shown(document)["Bo"], shown(document)["Oslo"]
    assert (bo.source, bo.needs_person, bo.maybe) == ("local", True, False)
    assert (oslo.needs_person, oslo.maybe) == (True, True)
    assert reason in bo.reason
    assert reason in oslo.reason
    assert linking.prepare(document.project) == []
    assert linking.reopen(document.project) == 2
    assert len(linking.prepare(document.project)) == 1


def test_an_answer_missing_for_one_question_leaves_the_others(
    document: Document, broker: Broker
) -> None:
    link(document.project)
    result = workers.answer(broker.take("llm") or {}, Bo="person", Oslo="place")
    del result.answers[1]
    workers.deliver(result)
    found = questions(document)
    assert (found["Bo"].answer, found["Oslo"].state) == ("person", "unresolved")
    assert found["Oslo"].reason == "no answer"


def test_what_got_no_answer_is_asked_once_more_without_the_others(
    document: Document, broker: Broker, settings: Any
) -> None:
    settings.LLM_BASE_URL = "http://127.0.0.1:1/v1"
    Project.objects.update(provider=Project.Provider.OPENAI)
    document = Document.objects.get(pk=document.pk)
    job = link(document.project)
    first = broker.take("llm") or {}
    workers.deliver(workers.answer(first, Bo="person", Oslo="dragon"))
    found = questions(document)
    assert (found["Bo"].state, found["Oslo"].state) == ("answered", "open")
    assert "its label is not in this project" in shown(document)["Oslo"].reason
    second = broker.take("llm") or {}
    assert [q["id"] for q in second["questions"]] == [found["Oslo"].pk]
    workers.deliver(workers.answer(first, Bo="group"))  # the first answer comes twice
    workers.deliver(workers.answer(second))
    assert broker.take("llm") is None
    job.refresh_from_db()
    assert (job.state, job.done, job.total) == ("done", 2, 2)
    found = questions(document)
    assert (found["Bo"].answer, found["Oslo"].state) == ("person", "unresolved")
    assert found["Oslo"].reason == "the LLM was silent"
    assert [call.questions_count for call in LLMCall.objects.order_by("pk")] == [2, 1]
    assert found["Oslo"].call == LLMCall.objects.order_by("pk").last()


def test_the_second_answer_counts_as_the_first_would_have(
    document: Document, broker: Broker, settings: Any
) -> None:
    settings.LLM_BASE_URL = "http://127.0.0.1:1/v1"
    Project.objects.update(provider=Project.Provider.OPENAI)
    document = Document.objects.get(pk=document.pk)
    job = link(document.project)
    workers.deliver(workers.answer(broker.take("llm") or {}))
    workers.deliver(workers.answer(broker.take("llm") or {}, Bo="person", Oslo="place"))
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 2)
    assert {q.state for q in document.questions.all()} == {"answered"}


def test_a_refusal_ends_the_job_and_leaves_its_questions_open(
    document: Document, broker: Broker, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS = 1
    job = link(document.project)
    first, second = broker.all("llm")
    workers.deliver(workers.outcome(first, Outcome.REFUSED, reason="the key is wrong"))
    workers.deliver(workers.answer(second, Oslo="place"))
    job.refresh_from_db()
    assert (job.state, job.note) == ("failed", "the key is wrong")
    bo, oslo = (questions(document)[s] for s in ("Bo", "Oslo"))
    assert (bo.state, bo.reason, oslo.answer) == ("open", "the key is wrong", "place")
    assert shown(document)["Bo"].reason.endswith("The LLM gave no answer: the key is wrong.")
    assert linking.prepare(document.project) == [[bo.pk]]


def test_a_request_that_is_refused_for_one_question_is_halved(
    document: Document, broker: Broker
) -> None:
    link(document.project)
    workers.deliver(workers.outcome(broker.take("llm") or {}, Outcome.SPLIT, reason="too long"))
    halves = broker.all("llm")
    assert [len(half["questions"]) for half in halves] == [1, 1]
    workers.deliver(workers.outcome(halves[0], Outcome.SPLIT, reason="too long"))
    workers.deliver(workers.answer(halves[1], Oslo="place"))
    assert [c.state for c in LLMCall.objects.order_by("pk")] == ["failed", "failed", "answered"]
    assert "too long" in shown(document)["Bo"].reason
    assert questions(document)["Oslo"].answer == "place"


def test_a_question_that_the_server_refuses_by_name_is_asked_alone(
    project: Project, broker: Broker
) -> None:
    for verb in ("met", "saw"):
        tagged(project, TEXT.replace("met", verb))
    link(project)
    request = broker.take("llm") or {}
    first, named, *others = [question["id"] for question in request["questions"]]
    workers.deliver(workers.outcome(request, Outcome.SPLIT, at_fault=named))
    sent = [[question["id"] for question in part["questions"]] for part in broker.all("llm")]
    assert sent == [[named], [first, *others]]


def test_a_single_question_that_the_server_refuses_is_not_asked_again(
    document: Document, broker: Broker, settings: Any
) -> None:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://llm.example/v1", "any"
    Project.objects.update(provider=Project.Provider.OPENAI)
    link(Project.objects.get())
    request = broker.take("llm") or {}
    workers.deliver(workers.outcome(request, Outcome.SPLIT, at_fault=request["questions"][0]["id"]))
    alone, _ = broker.all("llm")
    refused = outcomes.split(AskRequest.from_json(alone), "HTTP 404")
    workers.deliver(refused)
    assert broker.take("llm") is None
    assert questions(document)["Bo"].state == "unresolved"
    assert {call.state for call in LLMCall.objects.filter(chunk=alone["chunk"])} == {"failed"}


def test_the_llm_changed_while_asking(document: Document, broker: Broker, settings: Any) -> None:
    settings.CHUNK_QUESTIONS = 1
    job = link(document.project)
    broker.all("llm")
    document.project.labels.filter(name="group").delete()
    Chunk.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.sweep()
    job.refresh_from_db()
    assert job.state == "failed"
    assert job.note == "The project's LLM, prompt or labels changed; ask again."


# --- What changes while a job runs
def test_what_was_answered_to_a_job_before_is_not_asked_by_the_next(
    project: Project, broker: Broker, settings: Any
) -> None:
    """Cancelled while its requests were under way; asked again before they came back."""
    settings.CHUNK_QUESTIONS = 2
    tagged(project)
    tagged(project, TEXT.replace("met", "saw"))
    first = link(project)
    under_way, lost = broker.all("llm")
    pipeline.cancel(first)
    settings.CHUNK_QUESTIONS = 4
    second = pipeline.chunks.open_job(
        project, Job.Kind.LINK, linking.prepare(project), follow=False
    )
    workers.deliver(workers.answer(under_way, Bo="person", Oslo="place"))
    pipeline.dispatch(second)
    (request,) = broker.all("llm")
    assert request["questions"] == lost["questions"]
    workers.deliver(workers.answer(request, Bo="person", Oslo="place"))
    second.refresh_from_db()
    assert (second.state, second.done) == ("done", 4)


def test_a_job_whose_questions_are_all_answered_ends_without_asking(
    document: Document, broker: Broker
) -> None:
    first = link(document.project)
    (under_way,) = broker.all("llm")
    pipeline.cancel(first)
    second = pipeline.chunks.open_job(
        document.project, Job.Kind.LINK, linking.prepare(document.project), follow=False
    )
    workers.deliver(workers.answer(under_way, Bo="person", Oslo="place"))
    pipeline.dispatch(second)
    assert broker.all("llm") == []
    second.refresh_from_db()
    assert (second.state, second.done) == ("done", 2)


def test_a_document_that_is_deleted_takes_only_its_own_questions_with_it(
    project: Project, broker: Broker, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS = 4
    gone, stays = tagged(project), tagged(project, TEXT.replace("met", "saw"))
    job = pipeline.chunks.open_job(project, Job.Kind.LINK, linking.prepare(project), follow=False)
    gone.delete()
    pipeline.dispatch(job)
    (request,) = broker.all("llm")
    workers.deliver(workers.answer(request, Bo="person", Oslo="place"))
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 4)
    assert stays.questions.filter(state="answered").count() == 2


def test_an_answer_after_its_chunk_was_given_up_counts_where_there_is_none_yet(
    project: Project, broker: Broker, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS = 1
    tagged(project)
    link(project)
    requests = broker.all("llm")
    for request in requests:
        workers.fail(request)
    for request in requests:
        workers.deliver(workers.answer(request, Bo="person"))
    assert [(q.state, q.answer) for q in Question.objects.order_by("start")] == [
        ("answered", "person"),
        ("unresolved", ""),
    ]
    link(project)
    assert broker.all("llm") == []

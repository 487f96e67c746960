"""What stands in several documents in the same words is asked about, and read, once.

Run on SQLite and, through `test_on_postgresql.py`, on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator import chunks, linking, pipeline, sweeping, trying, twins
from annotator.asked import Asked
from annotator.models import (
    Chunk,
    Document,
    Job,
    LLMCall,
    Project,
    Question,
    SweptSentence,
    Threshold,
)
from mlworker.schema import NO_ENTITY, AskRequest, Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker, at_once

pytestmark = pytest.mark.django_db(transaction=True)

RETWEET = "Ada met Bo in Oslo."


@pytest.fixture
def project(settings: Any) -> Project:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", "m"
    project = factories.make_project(provider=Project.Provider.OPENAI, sweep_share=100)
    factories.make_version(project, tau=0.4)
    return project


def tweet(project: Project, before: str = "", text: str = RETWEET, **fields: Any) -> Document:
    """A document that ends in `text`, a sentence of its own; Bo is routed."""
    whole = before + text
    document = factories.make_document(project, whole, **{"status": "tagged"} | fields)
    tagging = factories.make_tagging(document)
    tagging.sentences = [[len(before), len(whole), 0.5]]
    tagging.save()
    prediction = factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    prediction.sentence_start = len(before)
    prediction.save()
    return document


def begin(project: Project, kind: str = Job.Kind.LINK) -> Job:
    prepare = {Job.Kind.LINK: linking.prepare, Job.Kind.SWEEP: sweeping.prepare}[Job.Kind(kind)]
    job = chunks.open_job(project, kind, prepare(project), follow=False)
    pipeline.dispatch(job)
    return job


def told(request: dict[str, Any]) -> Any:
    return workers.answer(request, Bo="person")


def asked(request: dict[str, Any] | None) -> AskRequest:
    return AskRequest.from_json(request or {})


def answers() -> list[tuple[str, str]]:
    return list(Question.objects.order_by("document").values_list("state", "answer"))


# --- What is the same --------------------------------------------------------------------------
def test_a_fingerprint_is_of_what_is_sent_to_whom_in_which_project(project: Project) -> None:
    to = Asked("openai", "m", "choice.v2+0")
    prints = [
        twins.fingerprint(project, to, "Ada met Bo.", 0, 3),
        twins.fingerprint(project, to, "Ada met Bo.", 8, 10),
        twins.fingerprint(project, to, "Ada met Bo!", 0, 3),
        twins.fingerprint(project, Asked("openai", "n", "choice.v2+0"), "Ada met Bo.", 0, 3),
        twins.fingerprint(project, Asked("openai", "m", "choice.v2+1"), "Ada met Bo.", 0, 3),
        twins.fingerprint(factories.make_project(), to, "Ada met Bo.", 0, 3),
    ]
    assert len(set(prints)) == len(prints)
    assert prints[0] == twins.fingerprint(project, to, "Ada met Bo.", 0, 3)


def test_where_the_sentence_stands_does_not_matter_and_its_words_do(
    project: Project, broker: Broker
) -> None:
    rows = [
        tweet(project),
        tweet(project, "RT @x é\U0001f1f3\U0001f1f4 ", status="gold", split="test"),
        tweet(project, text="Ada met Bo in Rome."),
    ]
    begin(project)
    request = asked(broker.take("llm"))
    assert [q.context for q in request.questions] == [RETWEET, "Ada met Bo in Rome."]
    workers.deliver(told(request.to_json()))
    assert answers() == [("answered", "person")] * 3
    assert {q.call_id for q in Question.objects.all()} == {LLMCall.objects.get().pk}
    assert LLMCall.objects.get().questions_count == 2
    sources = {m.source for m in rows[0].mentions.all()}
    assert sources == {"llm"}, "a copied answer is an answer"


def test_another_project_is_asked_for_itself(project: Project, broker: Broker) -> None:
    tweet(project)
    begin(project)
    workers.deliver(told(broker.take("llm") or {}))
    other = factories.make_project(provider=Project.Provider.OPENAI)
    factories.make_version(other)
    tweet(other)
    begin(other)
    assert len(asked(broker.take("llm")).questions) == 1


# --- Later, split, retried ---------------------------------------------------------------------
def test_what_comes_in_later_costs_nothing(project: Project, broker: Broker) -> None:
    tweet(project)
    begin(project)
    workers.deliver(told(broker.take("llm") or {}))
    late = tweet(project, "again: ")
    job = begin(project)
    job.refresh_from_db()
    assert (job.state, job.total) == ("done", 0)
    assert broker.take("llm") is None
    assert LLMCall.objects.count() == 1
    assert [(m.source, m.needs_person) for m in late.mentions.all()] == [("llm", False)]


def test_what_gets_no_answer_gets_none_everywhere_and_one_later_for_all(
    project: Project, broker: Broker
) -> None:
    for before in ("", "a ", "b "):
        tweet(project, before)
    begin(project)
    for _ in range(2):
        workers.deliver(workers.answer(broker.take("llm") or {}))
    assert broker.take("llm") is None
    assert answers() == [("unresolved", "")] * 3
    assert linking.reopen(project) == 3
    begin(project)
    workers.deliver(told(broker.take("llm") or {}))
    assert answers() == [("answered", "person")] * 3


def test_twins_hear_why_a_request_failed_and_are_asked_with_the_next(
    project: Project, broker: Broker
) -> None:
    for before in ("", "a "):
        tweet(project, before)
    begin(project)
    workers.deliver(
        workers.outcome(broker.take("llm") or {}, Outcome.REFUSED, reason="the key is wrong")
    )
    assert set(Question.objects.values_list("state", "reason")) == {("open", "the key is wrong")}
    begin(project)
    assert len(asked(broker.take("llm")).questions) == 1


def test_a_chunk_that_is_split_still_answers_all_twins(project: Project, broker: Broker) -> None:
    for before in ("", "a "):
        tweet(project, before)
        tweet(project, before, text="Ada met Bo in Rome.")
    job = begin(project)
    workers.deliver(workers.outcome(broker.take("llm") or {}, Outcome.SPLIT, reason="too long"))
    for half in broker.all("llm"):
        assert len(half["questions"]) == 1
        workers.deliver(told(half))
    job.refresh_from_db()
    assert (job.state, job.done, job.total) == ("done", 2, 2)
    assert answers() == [("answered", "person")] * 4


def test_a_doubled_answer_does_not_change_the_copies(project: Project, broker: Broker) -> None:
    for before in ("", "a "):
        tweet(project, before)
    begin(project)
    request = broker.take("llm") or {}
    workers.deliver(told(request))
    workers.deliver(workers.answer(request, Bo=NO_ENTITY))
    assert answers() == [("answered", "person")] * 2


def test_what_the_first_said_outlives_its_document(project: Project, broker: Broker) -> None:
    first, second = (tweet(project, before) for before in ("", "a "))
    begin(project)
    workers.deliver(told(broker.take("llm") or {}))
    first.delete()
    assert answers() == [("answered", "person")]
    assert second.mentions.get().source == "llm"


# --- Two jobs at once --------------------------------------------------------------------------
def trial_beside_a_linking(project: Project, settings: Any) -> Job:
    """A trial about a span of held-out gold, whose turn has not come: its twin's answer, in a
    document under review, is under way."""
    settings.LLM_CONCURRENCY = 1
    Threshold.objects.update(origin=Threshold.Origin.INTERSECTION)
    tweet(project)
    tweet(project, "held out: ", status="gold", split="dev")
    begin(project)
    trying.draw(project, factories.make_prompt(project))
    return chunks.open_job(project, Job.Kind.TRIAL, trying.prepare(project), follow=False)


def test_what_another_job_answered_meanwhile_is_not_sent(
    project: Project, broker: Broker, settings: Any
) -> None:
    trial = trial_beside_a_linking(project, settings)
    request = asked(broker.take("llm"))
    (question,) = request.questions
    assert [len(chunk.items) for chunk in trial.chunks.all()] == [1, 1]
    assert question.id not in {pk for chunk in trial.chunks.all() for pk in chunk.items}
    workers.deliver(told(request.to_json()))
    pipeline.dispatch(trial)
    sent = broker.all("llm")
    assert len(sent) == 1, "only what the new prompt asks"
    assert sent[0]["prompt"]["text"].startswith("Choose:")
    workers.deliver(told(sent[0]))
    trial.refresh_from_db()
    assert (trial.state, trial.done, trial.total) == ("done", 2, 2)
    assert LLMCall.objects.count() == 2


def test_a_trial_that_copies_an_answer_to_a_document_under_review_shows_it_there(
    project: Project, broker: Broker
) -> None:
    tweet(project)
    begin(project)
    workers.deliver(told(broker.take("llm") or {}))
    late = tweet(project, "late: ")
    linking.write_questions(project)  # by a job that has not looked for twins yet
    tweet(project, "held out: ", status="gold", split="dev")
    trying.draw(project, factories.make_prompt(project))
    trying.prepare(project)
    assert late.questions.get().answer == "person"
    assert late.mentions.get().source == "llm"


def test_twins_that_are_answered_at_once_agree(project: Project, broker: Broker) -> None:
    """Each of four jobs' chunks holds one of four twins, all under way when their answers come."""
    rows = [tweet(project, before) for before in ("", "a ", "b ", "c ")]
    linking.write_questions(project)
    job = chunks.open_job(
        project,
        Job.Kind.LINK,
        [[pk] for pk in Question.objects.values_list("pk", flat=True)],
        follow=False,
    )
    claimed = [chunks.claim(job) for _ in rows]
    requests = [linking.request(chunk) for chunk in claimed if chunk]
    said = ["person", "place", "group", "person"]

    def deliver(number: int) -> Callable[[], None]:
        return lambda: workers.deliver(workers.answer(requests[number], Bo=said[number]))

    assert at_once([deliver(n) for n in range(4)]) == [None] * 4
    ((state, answer),) = set(answers())
    assert (state, answer in said) == ("answered", True)
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 4)
    assert set(LLMCall.objects.values_list("state", flat=True)) == {"answered"}


def test_copying_while_answers_come_in_loses_none(project: Project, broker: Broker) -> None:
    for n in range(6):
        tweet(project, f"{n} ")
        tweet(project, f"{n} ", text="Ada met Bo in Rome.")
    begin(project)
    request = broker.take("llm") or {}

    def copy() -> None:
        for _ in range(5):
            twins.settle(linking.asked_by(project))

    found = at_once([lambda: workers.deliver(told(request)), copy, copy])
    assert found == [None] * 3
    assert set(answers()) == {("answered", "person")}


# --- Sentences ---------------------------------------------------------------------------------
def test_a_sentence_that_stands_in_several_documents_is_read_once(
    project: Project, broker: Broker
) -> None:
    rows = [tweet(project, before) for before in ("", "RT @x: ", "é\U0001f1f3\U0001f1f4 ")]
    job = begin(project, Job.Kind.SWEEP)
    request = asked(broker.take("llm"))
    assert [p.text for p in request.passages] == [RETWEET]
    workers.deliver(workers.read(request.to_json(), Oslo="place"))
    job.refresh_from_db()
    assert (job.state, job.done, job.total) == ("done", 1, 1)
    for row in rows:
        ((start, end, label),) = row.swept.get().found
        assert (row.text[start:end], label) == ("Oslo", "place")
        assert {m.surface for m in row.mentions.all()} == {"Bo", "Oslo"}
    late = tweet(project, "late: ")
    assert sweeping.prepare(project) == []
    ((start, end, _),) = late.swept.get().found
    assert late.text[start:end] == "Oslo"
    assert LLMCall.objects.count() == 1
    assert not sweeping.is_due(project)


def test_a_sentence_that_got_no_answer_is_not_sent_again_for_its_twin(
    project: Project, broker: Broker
) -> None:
    for before in ("", "RT "):
        tweet(project, before)
    begin(project, Job.Kind.SWEEP)
    for _ in range(2):
        request = broker.take("llm") or {}
        result = workers.read(request)
        workers.deliver(type(result)(**vars(result) | {"finds": []}))
    assert broker.take("llm") is None
    assert set(SweptSentence.objects.values_list("state", "reason")) == {
        ("unresolved", "no answer")
    }
    assert Chunk.objects.get().state == "done"

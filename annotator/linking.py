"""Asking the LLM as a step of the loop: which spans, in which requests, and what the answers do.

Routed spans of documents under review are asked about. On held-out gold every predicted mention
is: that is the paper's fully linked run (τ = 0, LinkNER §5.3), from which τ is chosen. Which spans
are asked about never depends on gold.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, Q, QuerySet

from mlworker import schema

from . import chunks, ledger, suggestions
from .asked import Asked, asked_by, asked_of, options, sent, set_up, together, whom, whom_with
from .models import (
    Chunk,
    Document,
    Job,
    LLMCall,
    Prediction,
    Project,
    Prompt,
    Question,
    Threshold,
)
from .tagging import in_pieces
from .training import Impossible

MAX_TRIES = 6
BACKOFF_SECONDS = 2.0
"""The first wait; each further one is twice as long, so that a minute without server is bridged."""
NOT_SET_UP = {
    Project.Provider.OPENAI: "No LLM server is set up. Set LLM_BASE_URL and LLM_MODEL, then "
    "restart.",
    Project.Provider.TRANSFORMERS: "No LLM is set up on this machine. Set LLM_FOLDER, then "
    "restart.",
}


def prepare(project: Project) -> list[list[int]]:
    """Chunks of the questions that this project's LLM has not been asked yet; may be empty."""
    if not project.llm_allowed:
        raise Impossible("This project asks no LLM. Turn one on in its settings first.")
    provider = Project.Provider(project.provider)
    if provider in NOT_SET_UP and provider not in set_up():
        raise Impossible(NOT_SET_UP[provider])
    if project.serving is None:
        raise Impossible("There is no model yet; train one and tag first.")
    write_questions(project)
    waiting = asked_by(project).filter(state=Question.State.OPEN).order_by("document", "start")
    return in_pieces(list(waiting.values_list("pk", flat=True)), together(project.prompt))


def reopen(project: Project) -> int:
    """Lets unresolved questions be asked once more; returns how many."""
    unresolved = asked_by(project).filter(state=Question.State.UNRESOLVED)
    return unresolved.update(state=Question.State.OPEN, reason="")


def is_due(project: Project) -> bool:
    """Whether there are spans that the LLM is to be asked about and was not."""
    return to_ask(project).exists()


def to_ask(project: Project) -> QuerySet[Prediction]:
    """The predictions of the serving version that the LLM is to be asked about: held-out gold
    first, and the rest once τ was chosen from its answers, or it turned out to give none. Where a
    budget says τ, held-out gold is not asked about."""
    threshold = project.threshold()
    if threshold is None:
        return Prediction.objects.none()
    predictions = Prediction.objects.serving(project)
    held_out = predictions.filter(
        tagging__document__in=Document.objects.filter(project=project).held_out()
    )
    open_or_test = Q(tagging__document__status=Document.Status.TAGGED) | Q(
        tagging__document__status=Document.Status.GOLD,
        tagging__document__split=Document.Split.TEST,
    )
    asked = asked_by(project).about_outer_prediction()
    settled = asked.exclude(state=Question.State.OPEN)
    held_out_first = threshold.awaits_answers and held_out.exclude(Exists(settled)).exists()
    routed = predictions.routed(threshold.tau).filter(open_or_test)
    wanted = held_out if held_out_first else held_out | routed
    if threshold.origin == Threshold.Origin.BUDGET:
        wanted = routed
    return wanted.exclude(Exists(asked)).select_related("tagging")


def write_questions(project: Project) -> None:
    """A question for each span to ask about that this LLM was not asked about yet."""
    write_questions_about(to_ask(project), whom(project))


def write_questions_about(predictions: QuerySet[Prediction], to: Asked) -> None:
    """A question for each of these spans, where there is none yet."""
    questions = [
        Question(
            document_id=prediction.tagging.document_id,
            start=prediction.start,
            end=prediction.end,
            sentence_start=prediction.sentence_start,
            sentence_end=prediction.sentence_end,
            provider=to.provider,
            model=to.model,
            prompt_version=to.prompt_version,
        )
        for prediction in predictions.iterator(chunk_size=1000)
    ]
    Question.objects.bulk_create(questions, ignore_conflicts=True, batch_size=500)


def request(chunk: Chunk) -> dict[str, Any]:
    """Raises `Impossible` where the project asks another LLM, or none, or in other words since the
    job started, and where its budget is spent."""
    return request_with(chunk, chunk.job.project.prompt)


def request_with(chunk: Chunk, prompt: Prompt | None) -> dict[str, Any]:
    """As `request`, with this prompt (None: the built-in one)."""
    project = chunk.job.project
    to = whom_with(project, prompt)
    questions = asked_of(project, to).filter(pk__in=chunk.items).select_related("document")
    if questions.count() != len(chunk.items):
        raise Impossible("The project's LLM, prompt or labels changed; ask again.")
    request = schema.AskRequest(
        chunk=chunk.pk,
        attempt=chunk.attempts,
        provider=to.provider,
        model=to.model,
        prompt=sent(prompt),
        labels=options(project),
        questions=[_as_sent(q) for q in questions.order_by("document", "start")],
    )
    ledger.open_call(chunk, to, request)
    return request.to_json()


def _as_sent(question: Question) -> schema.Question:
    """Only the sentence around the span leaves the house."""
    at = question.sentence_start
    context = question.document.text[at : question.sentence_end]
    return schema.Question(question.pk, context, question.start - at, question.end - at)


def store(chunk: Chunk, answer: dict[str, Any]) -> int | None:
    """Settles the ledger and the questions. None: the chunk is not ended (postponed or split)."""
    result = schema.AskResult.from_json(answer)
    if not ledger.settle(chunk, result):
        return None  # it came twice
    if result.outcome in (schema.Outcome.RETRY, schema.Outcome.WAIT):
        _retry(chunk, result)
        return None
    if result.outcome == schema.Outcome.SPLIT and chunks.split(chunk, result.reason):
        return None
    if result.outcome == schema.Outcome.REFUSED:
        leave_open(chunk, result.reason)
        chunks.end_job(chunk.job, Job.State.FAILED, result.reason)
        return 0
    if result.outcome == schema.Outcome.ANSWERED:
        return _store_answers(chunk, result)
    leave_open(chunk, result.reason)
    return len(chunk.items)


def _retry(chunk: Chunk, result: schema.AskResult) -> None:
    """Postpones the chunk, or gives it up after so many requests that came to nothing."""
    if result.attempt != chunk.attempts:
        return  # it was given up as lost, and another request is under way
    tries = ledger.failures(chunk)
    if tries < MAX_TRIES:
        wait = result.retry_after
        chunks.postpone(chunk, BACKOFF_SECONDS**tries if wait is None else wait)
    else:
        leave_open(chunk, result.reason)
        chunks.give_up(chunk, result.reason)


def settle_late(chunk: Chunk, answer: dict[str, Any]) -> None:
    """An answer to a chunk that has ended: nobody waits for it, but it was paid for."""
    ledger.settle(chunk, schema.AskResult.from_json(answer))


def _store_answers(chunk: Chunk, result: schema.AskResult) -> int | None:
    """What got no usable answer is asked once more, without the others; then it is for people.
    None: the chunk goes on with these."""
    again = _may_ask_again(chunk)
    names = {label.name for label in chunk.job.project.labels.all()} | {schema.NO_ENTITY}
    answers = {answer.id: answer for answer in result.answers}
    call = chunk.calls.filter(attempt=result.attempt).first()
    questions = list(Question.objects.filter(pk__in=chunk.items))
    for question in questions:
        given = answers.get(question.pk, schema.Answer(question.pk, None, reason="no answer"))
        question.call = call
        if given.label in names:
            question.state, question.answer = Question.State.ANSWERED, given.label or ""
            question.probability, question.reason = given.probability, ""
            question.probabilities = given.probabilities
        elif question.state != Question.State.ANSWERED:
            question.state = Question.State.OPEN if again else Question.State.UNRESOLVED
            question.reason = (given.reason or "its label is not in this project")[:300]
    Question.objects.bulk_update(
        questions, ["state", "answer", "probability", "probabilities", "reason", "call"]
    )
    _refresh(chunk)
    left = [question.pk for question in questions if question.state == Question.State.OPEN]
    if left:
        chunks.narrow(chunk, left)
        return None
    return len(chunk.items)


def _may_ask_again(chunk: Chunk) -> bool:
    """Once, and only a server: recorded answers and scores do not change."""
    live = chunk.job.project.provider == Project.Provider.OPENAI
    return live and chunk.calls.filter(state=LLMCall.State.ANSWERED).count() == 1


def leave_open(chunk: Chunk, reason: str) -> None:
    """The request failed: its questions go to people with the reason, and the next time that the
    LLM is asked they are asked again."""
    waiting = Question.objects.filter(pk__in=chunk.items, state=Question.State.OPEN)
    waiting.update(reason=reason[:300])
    _refresh(chunk)


def _refresh(chunk: Chunk) -> None:
    documents = Question.objects.filter(pk__in=chunk.items).values_list("document_id", flat=True)
    suggestions.refresh(chunk.job.project, set(documents))

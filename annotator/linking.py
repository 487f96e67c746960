"""Asking the LLM as a step of the loop: which spans, in which requests, and what the answers do.

Routed spans of documents under review are asked about. On held-out gold every predicted mention
is: that is the paper's fully linked run (τ = 0, LinkNER §5.3), from which τ is chosen. Which spans
are asked about never depends on gold. A label that the LLM is bad at can be left out
(`Label.ask_llm`); held-out gold is asked about all the same, so that it stays known how bad, but
τ does not rest on such answers.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Substr

from mlworker import schema

from . import asking, ledger, shots, suggestions, twins
from .asked import Asked, asked_by, asked_of, request_to, sent, together, whom, whom_with
from .models import (
    Chunk,
    Document,
    Label,
    Prediction,
    Project,
    Prompt,
    Question,
    Threshold,
)
from .models.asking import QuestionQuerySet
from .refusals import Impossible
from .tagging import in_pieces


def prepare(project: Project) -> list[list[int]]:
    """Chunks of the questions that this project's LLM has not been asked yet; may be empty."""
    asking.check(project)
    if project.serving is None:
        raise Impossible("There is no model yet; train one and tag first.")
    write_questions(project)
    suggestions.refresh(project, twins.settle(asked_by(project)))
    return in_requests(_may_go_out(project), project.prompt)


def in_requests(questions: QuestionQuerySet, prompt: Prompt | None) -> list[list[int]]:
    """Those of `questions` that wait, of twins one, in pieces that share a request."""
    waiting = questions.waiting().order_by("document", "start")
    different = twins.one_of_each(waiting.values_list("pk", "fingerprint"))
    return in_pieces(different, together(prompt))


def reopen(project: Project) -> int:
    """Lets unresolved questions be asked once more; returns how many."""
    unresolved = _may_go_out(project).filter(state=Question.State.UNRESOLVED)
    return unresolved.update(state=Question.State.OPEN, reason="")


# --- Which spans -------------------------------------------------------------------------------
def is_due(project: Project) -> bool:
    """Whether there are spans that the LLM is to be asked about and was not."""
    return to_ask(project).exists()


def to_ask(project: Project) -> QuerySet[Prediction]:
    """The predictions of the serving version that the LLM is to be asked about: held-out gold
    first, and the rest once τ was chosen from its answers, or it turned out to give none. Where a
    budget says τ, held-out gold is not asked about."""
    threshold = project.threshold()
    wanted = _wanted(project, threshold)
    asked = asked_by(project).about_outer_prediction()
    if threshold is not None and threshold.awaits_answers:
        settled = asked.exclude(state=Question.State.OPEN)
        held_out = Prediction.objects.serving(project).held_out()
        wanted = held_out if held_out.exclude(Exists(settled)).exists() else wanted
    return wanted.exclude(Exists(asked)).select_related("tagging")


def _wanted(project: Project, threshold: Threshold | None) -> QuerySet[Prediction]:
    """The predictions of the serving version that are the LLM's business, asked about or not.
    Held-out gold is, whatever the label: a span there is asked about once for all versions, and
    only its answers tell whether the LLM would do better by now."""
    if threshold is None:
        return Prediction.objects.none()
    predictions = Prediction.objects.serving(project)
    open_or_test = Q(tagging__document__status=Document.Status.TAGGED) | Q(
        tagging__document__status=Document.Status.GOLD,
        tagging__document__split=Document.Split.TEST,
    )
    routed = predictions.routed(threshold.tau).filter(open_or_test)
    routed = routed.exclude(pk__in=predictions.left_out().values("pk"))
    by_budget = threshold.origin == Threshold.Origin.BUDGET
    return routed if by_budget else predictions.held_out() | routed


def _may_go_out(project: Project) -> QuestionQuerySet:
    """The questions that were written and still are of use. Since one was written its document may
    have been reviewed, its span may have become sure, or its label be left out."""
    wanted = _wanted(project, project.threshold()).filter(
        tagging__document=OuterRef("document"), start=OuterRef("start"), end=OuterRef("end")
    )
    questions: QuestionQuerySet = asked_by(project).filter(Exists(wanted))
    return questions


def ask_about(label: Label, ask: bool) -> None:
    """Has the LLM asked, from now on, or not asked any more about spans of this local label. What
    it answered before counts only while it is asked."""
    label.ask_llm = ask
    label.save(update_fields=["ask_llm"])
    suggestions.refresh_under_review(label.project)


# --- Asking about them -------------------------------------------------------------------------
def write_questions(project: Project) -> None:
    """A question for each span to ask about that this LLM was not asked about yet."""
    write_questions_about(project, to_ask(project), whom(project))


def write_questions_about(project: Project, predictions: QuerySet[Prediction], to: Asked) -> None:
    """A question for each of these spans, where there is none yet."""
    length = F("sentence_end") - F("sentence_start")
    context = Substr("tagging__document__text", F("sentence_start") + 1, length)
    asked = asdict(to)
    questions = [
        Question(
            document_id=prediction.tagging.document_id,
            start=prediction.start,
            end=prediction.end,
            sentence_start=prediction.sentence_start,
            sentence_end=prediction.sentence_end,
            fingerprint=twins.fingerprint(
                project,
                to,
                prediction.context,
                prediction.start - prediction.sentence_start,
                prediction.end - prediction.sentence_start,
            ),
            **asked,
        )
        for prediction in predictions.annotate(context=context).iterator(chunk_size=1000)
    ]
    Question.objects.bulk_create(questions, ignore_conflicts=True, batch_size=500)


def request(chunk: Chunk) -> dict[str, Any]:
    """Raises `Impossible` where the project asks another LLM, or none, or in other words since the
    job started, and where its budget is spent."""
    project = chunk.job.project
    return request_with(chunk, project.prompt, twins.is_among(_may_go_out(project)))


def request_with(
    chunk: Chunk, prompt: Prompt | None, still: Q | Exists = asking.ALL
) -> dict[str, Any]:
    """As `request`, with this prompt (None: the built-in one), of what is `still` of use."""
    project = chunk.job.project
    to = whom_with(project, prompt)
    questions = list(asking.to_send(chunk, asked_of(project, to), still))
    request = request_to(project, to, sent(prompt))
    request = replace(request, questions=_as_sent(questions, prompt))
    return ledger.open_call(chunk, to, request).to_json()


def _as_sent(questions: list[Question], prompt: Prompt | None) -> list[schema.Question]:
    """Only the sentence around each span leaves the house, and those of its examples."""
    places = [(question.document_id, question.start, question.end) for question in questions]
    examples = shots.beside(prompt, places)
    return [
        schema.Question(
            id=question.pk,
            context=question.document.text[question.sentence_start : question.sentence_end],
            start=question.start - question.sentence_start,
            end=question.end - question.sentence_start,
            examples=examples.get(place, []),
        )
        for question, place in zip(questions, places, strict=True)
    ]


# --- What the answers do -----------------------------------------------------------------------
def store(chunk: Chunk, answer: dict[str, Any]) -> int | None:
    """Settles the ledger and the questions. None: the chunk is not ended (postponed or split)."""
    return asking.store(chunk, answer, _write_answers, leave_open)


def store_late(chunk: Chunk, answer: dict[str, Any]) -> None:
    """Of an answer that comes when the chunk has ended."""
    asking.settle_late(chunk, answer, _write_answers)


def _write_answers(chunk: Chunk, result: schema.AskResult) -> list[int]:
    names = {label.name for label in chunk.job.project.labels.all()} | {schema.NO_ENTITY}
    answers = {answer.id: answer for answer in result.answers}

    def take(question: Question) -> str:
        given = answers.get(question.pk, schema.Answer(question.pk, None, reason="no answer"))
        if given.label is None or given.label not in names:
            return given.reason or "its label is not in this project"
        question.answer, question.probability = given.label, given.probability
        question.probabilities = given.probabilities
        return ""

    return asking.write_all(chunk, result, Question.objects.all(), take)


def leave_open(chunk: Chunk, reason: str) -> None:
    """The request failed: its questions go to people with the reason, and the next time that the
    LLM is asked they are asked again."""
    concerned = twins.explain(Question.objects.filter(pk__in=chunk.items), reason)
    suggestions.refresh(chunk.job.project, concerned)

"""Trying a prompt before it is used: the same spans of held-out gold, asked with both prompts.

Answers are kept by the words they were given to, so those of a prompt that is not in use change
no document, and whatever was answered before is not asked and paid for again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef

from mlworker import schema

from . import asking, figures, gold, linking, shots, suggestions, twins
from .asked import asked_of, whom_with
from .models import Chunk, Prediction, Project, Prompt, Question, Trial, money
from .models.asking import QuestionQuerySet
from .refusals import Impossible

SPANS = 20
SEED = 1
"""The same for all trials: they ask about the same spans as long as the model and gold are the
same, so that the prompt in use is paid for once."""


def draw(project: Project, prompt: Prompt) -> Trial:
    """A trial of `prompt` against the one in use, on spans drawn at random.

    Of held-out gold, which examples are never taken from: spans that τ routes, as they are what
    the LLM is asked about, or whatever was predicted where these are too few. Raises `Impossible`
    where there are none.
    """
    _check(project)
    if project.prompt == prompt:
        raise Impossible("This prompt is in use already.")
    predicted = Prediction.objects.serving(project).held_out()
    routed = figures.routed(project).held_out()
    pool = routed if routed.count() >= SPANS else predicted
    rows = pool.values_list("tagging__document__sha256", "start", "end", "pk")
    ranked = sorted((shots.rank(SEED, sha256, start, end), pk) for sha256, start, end, pk in rows)
    if not ranked:
        raise Impossible(
            "There is no held-out gold that the model has read, so nothing says which answers are "
            "right. Review more documents, or tag again."
        )
    trial = Trial.objects.create(project=project, prompt=prompt, against=project.prompt)
    trial.spans.set([pk for _, pk in ranked[:SPANS]])
    return trial


def _check(project: Project) -> None:
    if project.provider == Project.Provider.RECORDED:
        raise Impossible("Recorded answers stay the same whatever the prompt says.")
    asking.check(project)


def prepare(project: Project) -> list[list[int]]:
    """Chunks of what the newest trial has no answer to, each of one prompt."""
    _check(project)
    trial = _newest(project)
    sides = trial.against, trial.prompt
    settled: set[int] = set()
    for prompt in sides:
        to = whom_with(project, prompt)
        linking.write_questions_about(project, trial.spans.select_related("tagging"), to)
        settled |= twins.settle(_of(trial, prompt))
    suggestions.refresh(project, settled)
    return [piece for p in sides for piece in linking.in_requests(_of(trial, p), p)]


def request(chunk: Chunk) -> dict[str, Any]:
    """As `linking.request`; raises `Impossible` where the LLM or the labels changed since the trial
    began."""
    trial = _newest(chunk.job.project)
    there = Question.objects.filter(pk__in=chunk.items).count()
    for prompt in (trial.against, trial.prompt):
        if _of(trial, prompt).filter(pk__in=chunk.items).count() == there:
            return linking.request_with(chunk, prompt)
    raise Impossible("The project's LLM or labels changed; try again.")


def _newest(project: Project) -> Trial:
    trial: Trial | None = project.trials.first()
    if trial is None:
        raise Impossible("There is no prompt to try. Make one on the prompt page.")
    return trial


def _of(trial: Trial, prompt: Prompt | None) -> QuestionQuerySet:
    """The questions about the trial's spans with one of its prompts."""
    same = {"tagging__document": OuterRef("document"), "start": OuterRef("start")}
    spans = trial.spans.filter(**same, end=OuterRef("end"))
    questions = asked_of(trial.project, whom_with(trial.project, prompt))
    return questions.filter(Exists(spans)).select_related("call")


# --- What came of it ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Side:
    """How one prompt did: `right` of all the trial's spans, and its share of what the requests
    took that gave its answers."""

    prompt: Prompt | None
    right: int
    answered: int
    prompt_tokens: int
    completion_tokens: int
    micros: int

    @property
    def amount(self) -> Decimal:
        return money(self.micros)


@dataclass(frozen=True)
class Row:
    """One span of a trial; labels are names, `NO_ENTITY`, or empty where there is no answer."""

    prediction: Prediction
    truth: str
    before: str
    after: str

    @property
    def surface(self) -> str:
        return self.prediction.surface

    @property
    def labels(self) -> tuple[str, str, str]:
        return self.truth, self.before, self.after


@dataclass(frozen=True)
class Results:
    trial: Trial
    before: Side
    after: Side
    rows: list[Row]

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.before, self.after


def results(trial: Trial) -> Results:
    spans = trial.spans.select_related("tagging__document", "label").order_by("tagging", "start")
    asked = [{_key(q): q for q in _of(trial, prompt)} for prompt in (trial.against, trial.prompt)]
    rows = []
    for prediction in spans.prefetch_related("tagging__document__mentions__label"):
        key = (prediction.tagging.document_id, prediction.start, prediction.end)
        said = [side[key].answer if key in side else "" for side in asked]
        rows.append(Row(prediction, _truth(prediction), *said))
    before = _side(trial.against, asked[0].values(), sum(r.before == r.truth for r in rows))
    after = _side(trial.prompt, asked[1].values(), sum(r.after == r.truth for r in rows))
    return Results(trial, before, after, rows)


def _key(question: Question) -> tuple[int, int, int]:
    return question.document_id, question.start, question.end


def _truth(prediction: Prediction) -> str:
    mentions = gold.mentions_of(prediction.tagging.document)
    span = (prediction.start, prediction.end)
    return next((m.label for m in mentions if (m.start, m.end) == span), schema.NO_ENTITY)


def _side(prompt: Prompt | None, questions: Collection[Question], right: int) -> Side:
    # Of twins one was asked; the others have its answer, and its request, for nothing. Not `share`,
    # which falls with every twin elsewhere: of the prompt in use these are more.
    paid = {(q.call_id, q.fingerprint): q.call for q in questions if q.call}.values()
    calls = [(call, max(1, call.questions_count)) for call in paid]
    return Side(
        prompt=prompt,
        right=right,
        answered=sum(q.state == Question.State.ANSWERED for q in questions),
        prompt_tokens=round(sum(call.prompt_tokens / shared for call, shared in calls)),
        completion_tokens=round(sum(call.completion_tokens / shared for call, shared in calls)),
        micros=round(sum(call.micros / shared for call, shared in calls)),
    )

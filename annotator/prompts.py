"""A project's prompts: making one, taking one into use, and what exactly is sent with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from django.core.exceptions import ValidationError
from django.db import transaction

from mlworker import schema
from mlworker.llm.prompt import SLOT, Messages, build

from . import asked
from .models import Prediction, Project, Prompt, Question, User
from .projects import UNSTORABLE
from .shots import beside, draw

LONGEST = 8000
"""Characters of a prompt's text: every request carries it."""
MOST_SHOTS = 10


def check_text(text: str) -> None:
    """Raises `ValidationError` with what to change."""
    if not text.strip():
        raise ValidationError("A prompt needs words: what the LLM is to do, and how to answer.")
    if len(text) > LONGEST:
        raise ValidationError(
            f"{len(text):,} characters are too many; a prompt has {LONGEST:,} at most, because "
            "every request carries it."
        )
    if text.count(SLOT) != 1:
        found = f"{text.count(SLOT)} times" if SLOT in text else "nowhere"
        raise ValidationError(f"{SLOT} must stand in it once, where the labels go; it is {found}.")
    if UNSTORABLE.search(text):
        raise ValidationError("It holds a control character.")


def make(
    project: Project,
    user: User,
    *,
    form: str,
    text: str,
    per_label: int,
    shots: str = Prompt.Shots.RANDOM,
) -> Prompt:
    """A new prompt, its examples drawn now where they are drawn at random; or the one that says the
    very same already. Without examples, `shots` does not matter.

    Raises `ValidationError` by field.
    """
    _check(text, per_label, shots)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        latest = project.prompts.first()
        made = Prompt(
            project=project,
            number=latest.number + 1 if latest else 1,
            form=form,
            text=text,
            shots=shots if per_label else Prompt.Shots.NONE,
            per_label=per_label,
            created_by=user,
        )
        made.examples = _draw(made)
        same = [kept for kept in project.prompts.all() if _says(kept) == _says(made)]
        if not same:
            made.save()
    return same[0] if same else made


def _check(text: str, per_label: int, shots: str) -> None:
    try:
        check_text(text)
    except ValidationError as error:
        raise ValidationError({"text": error}) from error
    if shots == Prompt.Shots.NEAREST and per_label > schema.NEAREST:
        raise ValidationError(
            {
                "per_label": f"A model version names the {schema.NEAREST} mentions most like a "
                "span, so no more can be shown."
            }
        )


def _says(prompt: Prompt) -> tuple[schema.Prompt, str, int]:
    return prompt.as_sent(), prompt.shots, prompt.per_label


def _draw(prompt: Prompt) -> list[dict[str, object]]:
    if prompt.shots != Prompt.Shots.RANDOM:
        return []
    drawn = draw(prompt.project, prompt.per_label, prompt.seed)
    if all(example.label == schema.NO_ENTITY for example in drawn):
        raise ValidationError(
            {
                "per_label": "There is no gold to take examples from. Import some to learn from, "
                "or review documents first; gold that is held out is never shown to the LLM."
            }
        )
    return [example.to_json() for example in drawn]


def take_into_use(project: Project, prompt: Prompt | None) -> None:
    """From now on the LLM is asked with `prompt`; its trial, if there is one, is over. What it
    answered to other words does not count any more (`pipeline.judge_anew`)."""
    Project.objects.filter(pk=project.pk).update(prompt=prompt)
    project.prompt = prompt
    project.trials.filter(prompt=prompt).update(is_over=True)


@dataclass(frozen=True)
class Shown:
    """What the LLM is asked about one span, and what it answered.

    Once it was asked, the examples beside the question are those that were sent. `earlier` is
    whether it answered to other words (another prompt, other labels) before.
    """

    prediction: Prediction
    messages: Messages
    question: Question | None
    earlier: bool


def show(project: Project, prediction: Prediction) -> Shown:
    """Raises `ValueError` where the prompt cannot put this question."""
    to = asked.whom(project)
    document, at = prediction.tagging.document, prediction.sentence_start
    put = document.questions.filter(start=prediction.start, end=prediction.end)
    known = put.filter(**asdict(to)).select_related("call").first()
    question = schema.Question(
        id=prediction.pk,
        context=document.text[at : prediction.sentence_end],
        start=prediction.start - at,
        end=prediction.end - at,
        examples=known.examples if known and known.call else _examples(project, prediction),
    )
    request = asked.request_to(project, to, asked.sent(project.prompt))
    messages = build(replace(request, questions=[question]))
    return Shown(prediction, messages, known, put.answered().exists())


def _examples(project: Project, prediction: Prediction) -> list[schema.Example]:
    """Those that would stand beside a question about this span."""
    place = prediction.tagging.document_id, prediction.start, prediction.end
    return beside(project.prompt, [place]).get(place, [])


def find_span(project: Project, pk: int) -> Prediction | None:
    """A prediction in this project, of whatever version."""
    found = Prediction.objects.filter(tagging__document__project=project, pk=pk)
    return found.select_related("tagging__document", "label").first()

"""A project's prompts: making one, taking one into use, and what exactly is sent with it."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from mlworker import schema
from mlworker.llm.prompt import SLOT, Messages, build

from . import asked, shots
from .models import Prediction, Project, Prompt, Question, User
from .projects import UNSTORABLE

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


def make(project: Project, user: User, *, form: str, text: str, per_label: int) -> Prompt:
    """A new prompt, its examples drawn now; or the one that says the very same already.

    Raises `ValidationError` by field.
    """
    try:
        check_text(text)
    except ValidationError as error:
        raise ValidationError({"text": error}) from error
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        latest = project.prompts.first()
        made = Prompt(
            project=project,
            number=latest.number + 1 if latest else 1,
            form=form,
            text=text,
            shots=Prompt.Shots.RANDOM if per_label else Prompt.Shots.NONE,
            per_label=per_label,
            created_by=user,
        )
        made.examples = _draw(made)
        words = (made.as_sent(), made.per_label)
        same = [p for p in project.prompts.all() if (p.as_sent(), p.per_label) == words]
        if not same:
            made.save()
    return same[0] if same else made


def _draw(prompt: Prompt) -> list[dict[str, object]]:
    if not prompt.per_label:
        return []
    drawn = shots.draw(prompt.project, prompt.per_label, prompt.seed)
    if all(example.label == schema.NO_ENTITY for example in drawn):
        raise ValidationError(
            {
                "per_label": "There is no gold to take examples from. Import some to learn from, "
                "or review documents first; gold that is held out is never shown to the LLM."
            }
        )
    return [example.to_json() for example in drawn]


def take_into_use(project: Project, prompt: Prompt | None) -> None:
    """From now on the LLM is asked with `prompt`; its trial, if there is one, is over."""
    Project.objects.filter(pk=project.pk).update(prompt=prompt)
    project.prompt = prompt
    project.trials.filter(prompt=prompt).update(is_over=True)


@dataclass(frozen=True)
class Shown:
    """What the LLM is asked about one span, and what it answered to these very words.

    `earlier` is whether it answered to other words (another prompt, other labels) before.
    """

    prediction: Prediction
    messages: Messages
    question: Question | None
    earlier: bool


def show(project: Project, prediction: Prediction) -> Shown:
    """Raises `ValueError` where the prompt cannot put this question."""
    to = asked.whom(project)
    document, at = prediction.tagging.document, prediction.sentence_start
    question = schema.Question(
        id=prediction.pk,
        context=document.text[at : prediction.sentence_end],
        start=prediction.start - at,
        end=prediction.end - at,
    )
    request = schema.AskRequest(
        chunk=0,
        attempt=0,
        provider=to.provider,
        model=to.model,
        prompt=asked.sent(project.prompt),
        labels=asked.options(project),
        questions=[question],
    )
    put = document.questions.filter(start=prediction.start, end=prediction.end)
    answered = put.of_prompt(to.provider, to.model, to.prompt_version).select_related("call")
    return Shown(prediction, build(request), answered.first(), put.answered().exists())


def find_span(project: Project, pk: int) -> Prediction | None:
    """A prediction in this project, of whatever version."""
    found = Prediction.objects.filter(tagging__document__project=project, pk=pk)
    return found.select_related("tagging__document", "label").first()

"""Which LLM, model and prompt a project's questions go to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from django.conf import settings

from mlworker import schema
from mlworker.llm.prompt import built_in
from mlworker.schema import PROMPT

from .models import Project, Prompt, Question
from .models.asking import QuestionQuerySet


@dataclass(frozen=True)
class Asked:
    """`prompt_version`, here and in the database, is the prompt's name, "+" and a hash of its
    words: text, options and examples. An answer given to other words is no answer to this
    question."""

    provider: str
    model: str
    prompt_version: str


def whom(project: Project) -> Asked:
    """Whom this project asks; meaningful where `project.llm_allowed`."""
    return whom_with(project, project.prompt)


def whom_with(project: Project, prompt: Prompt | None) -> Asked:
    """As `whom`, were `prompt` the one in use."""
    recorded = project.provider == Project.Provider.RECORDED
    words = json.dumps([[label.to_json() for label in options(project)], sent(prompt).to_json()])
    name = f"prompt.{prompt.number}" if prompt else PROMPT
    return Asked(
        provider=project.provider,
        model=project.recording if recorded else settings.LLM_MODEL,
        prompt_version=f"{name}+{hashlib.sha256(words.encode()).hexdigest()[:8]}",
    )


def sent(prompt: Prompt | None) -> schema.Prompt:
    """What of a project's prompt goes to the LLM; None is the built-in one."""
    return prompt.as_sent() if prompt else built_in()


def options(project: Project) -> list[schema.Label]:
    """The labels that the LLM may choose from."""
    return [schema.Label(label.name, label.description) for label in project.labels.all()]


def together(prompt: Prompt | None) -> int:
    """How many questions share a request."""
    alone = sent(prompt).form is schema.Form.QUESTION
    return 1 if alone else int(settings.CHUNK_QUESTIONS)


def asked_by(project: Project) -> QuestionQuerySet:
    """The questions put to the LLM that this project asks now."""
    return asked_of(project, whom(project))


def asked_of(project: Project, to: Asked) -> QuestionQuerySet:
    questions: QuestionQuerySet = Question.objects.of_prompt(
        to.provider, to.model, to.prompt_version
    )
    return questions.filter(document__project=project)

"""Which LLM, model and prompt a project's questions go to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from django.conf import settings

from mlworker.schema import PROMPT

from .models import Project, Question
from .models.asking import QuestionQuerySet


@dataclass(frozen=True)
class Asked:
    """`prompt_version`, here and in the database, is the prompt's name, "+" and a hash of the
    options it offers: an answer given to other options is no answer to this question."""

    provider: str
    model: str
    prompt_version: str


def whom(project: Project) -> Asked:
    """Whom this project asks; meaningful where `project.llm_allowed`."""
    recorded = project.provider == Project.Provider.RECORDED
    options = json.dumps([[label.name, label.description] for label in project.labels.all()])
    return Asked(
        provider=project.provider,
        model=project.recording if recorded else settings.LLM_MODEL,
        prompt_version=f"{PROMPT}+{hashlib.sha256(options.encode()).hexdigest()[:8]}",
    )


def asked_by(project: Project) -> QuestionQuerySet:
    """The questions put to the LLM that this project asks now."""
    to = whom(project)
    questions: QuestionQuerySet = Question.objects.of_prompt(
        to.provider, to.model, to.prompt_version
    )
    return questions.filter(document__project=project)

"""Which LLM, model and prompt a project's questions go to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePath

from django.conf import settings

from mlworker.schema import PROMPT

from .models import Project, Question
from .models.asking import QuestionQuerySet


@dataclass(frozen=True)
class Asked:
    """`prompt_version`, here and in the database, is the prompt's name, "+" and a hash of the
    options it offers: an answer given to other options is no answer to this question. Sent is the
    name alone, as `prompt`, for the options go along in full."""

    provider: str
    model: str
    prompt_version: str

    @property
    def prompt(self) -> str:
        return self.prompt_version.partition("+")[0]


def whom(project: Project) -> Asked:
    """Whom this project asks; meaningful where `project.llm_allowed`."""
    models = {
        Project.Provider.RECORDED: project.recording,
        Project.Provider.TRANSFORMERS: own_llm(),
    }
    options = json.dumps([[label.name, label.description] for label in project.labels.all()])
    return Asked(
        provider=project.provider,
        model=models.get(Project.Provider(project.provider), settings.LLM_MODEL),
        prompt_version=f"{PROMPT}+{hashlib.sha256(options.encode()).hexdigest()[:8]}",
    )


def own_llm() -> str:
    """The name of the LLM on this installation's own machine; empty where there is none."""
    return PurePath(settings.LLM_FOLDER).name


def set_up() -> list[Project.Provider]:
    """The LLMs that the operator lets projects ask, the server first."""
    places = {
        Project.Provider.OPENAI: settings.LLM_BASE_URL,
        Project.Provider.TRANSFORMERS: settings.LLM_FOLDER,
    }
    return [provider for provider, place in places.items() if place]


def asked_by(project: Project) -> QuestionQuerySet:
    """The questions put to the LLM that this project asks now."""
    to = whom(project)
    questions: QuestionQuerySet = Question.objects.of_prompt(
        to.provider, to.model, to.prompt_version
    )
    return questions.filter(document__project=project)

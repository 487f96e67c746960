"""Which LLM, model and prompt a project's questions go to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import PurePath

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
    question.

    Examples that stand beside one question are not among these words: its name says how the prompt
    chooses them, and each call keeps those that it sent. Were they, each new model version, which
    finds others alike, would have everything asked and paid for again.
    """

    provider: str
    model: str
    prompt_version: str


def whom(project: Project) -> Asked:
    """Whom this project asks; meaningful where `project.llm_allowed`."""
    return whom_with(project, project.prompt)


def whom_with(project: Project, prompt: Prompt | None) -> Asked:
    """As `whom`, were `prompt` the one in use."""
    return asked_in(project, f"prompt.{prompt.number}" if prompt else PROMPT, sent(prompt))


def asked_in(project: Project, name: str, words: schema.Prompt) -> Asked:
    """Whom this project asks in these `words`."""
    models = {
        Project.Provider.RECORDED: project.recording,
        Project.Provider.TRANSFORMERS: own_llm(),
    }
    said = json.dumps([[label.to_json() for label in options(project)], words.to_json()])
    return Asked(
        provider=project.provider,
        model=models.get(Project.Provider(project.provider), settings.LLM_MODEL),
        prompt_version=f"{name}+{hashlib.sha256(said.encode()).hexdigest()[:8]}",
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


def sent(prompt: Prompt | None) -> schema.Prompt:
    """What of a project's prompt goes to the LLM; None is the built-in one."""
    return prompt.as_sent() if prompt else built_in()


def options(project: Project) -> list[schema.Label]:
    """The labels that the LLM may choose from."""
    return [schema.Label(label.name, label.description) for label in project.labels.all()]


def together(prompt: Prompt | None) -> int:
    """How many questions share a request."""
    return sent(prompt).form.together(settings.CHUNK_QUESTIONS)


def asked_by(project: Project) -> QuestionQuerySet:
    """The questions put to the LLM that this project asks now."""
    return asked_of(project, whom(project))


def asked_of(project: Project, to: Asked) -> QuestionQuerySet:
    questions: QuestionQuerySet = Question.objects.filter(document__project=project, **asdict(to))
    return questions


def request_to(project: Project, to: Asked, words: schema.Prompt) -> schema.AskRequest:
    """What `to` is sent beside questions or sentences; of no chunk yet (`ledger.open_call`)."""
    return schema.AskRequest(0, 0, to.provider, to.model, words, options(project))

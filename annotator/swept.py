"""Which sentences the LLM of a project has read."""

from __future__ import annotations

from dataclasses import asdict

from mlworker.llm.prompt import built_in
from mlworker.schema import SWEEP_PROMPT

from .asked import Asked, asked_in
from .models import Project, SweptSentence
from .models.asking import AskedQuerySet


def whom_sweeps(project: Project) -> Asked:
    """Whom this project has read sentences; meaningful where `project.llm_allowed`."""
    return asked_in(project, SWEEP_PROMPT, built_in(SWEEP_PROMPT))


def swept_by(project: Project) -> AskedQuerySet:
    """The sentences given to the LLM that this project asks now."""
    return swept_of(project, whom_sweeps(project))


def swept_of(project: Project, to: Asked) -> AskedQuerySet:
    sentences: AskedQuerySet = SweptSentence.objects.filter(document__project=project, **asdict(to))
    return sentences

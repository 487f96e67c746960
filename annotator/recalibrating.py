"""Choosing τ anew from held-out gold, as a step of the loop (LinkNER §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from django.db.models import Exists

from mlworker import schema

from . import budget, evidence, frontier, gold, suggestions
from .asked import asked_by
from .models import Chunk, Document, Prediction, Project, Threshold
from .refusals import Impossible
from .swept import swept_by
from .training import record_threshold


def prepare(project: Project) -> list[list[int]]:
    if project.serving is None:
        raise Impossible("There is no model yet; train one first.")
    held_out = project.documents.held_out()
    if not held_out.exists() and not lacks_tau(project):
        raise Impossible("There is no held-out gold to choose τ from; review more documents.")
    return [[]]


def is_due(project: Project) -> bool:
    """Whether the project's LLM has read more or other held-out gold than when τ was chosen, or τ
    does not rest on its answers about held-out gold yet and there are more of them that count."""
    threshold = project.threshold()
    if threshold is None:
        return False
    if held_out_swept(project) not in (0, threshold.swept):
        return True
    if not threshold.awaits_answers:
        return False
    answered = asked_by(project).answered()
    predicted = Prediction.objects.serving(project).held_out()
    counting = predicted.filter(lane=Prediction.Lane.MENTION, label__ask_llm=True)
    known: int = sum(interval["asked"] for interval in threshold.intervals)
    return counting.filter(Exists(answered.about_outer_prediction())).count() > known


def held_out_swept(project: Project) -> int:
    """How many sentences of held-out gold the project's LLM has read."""
    held_out = project.documents.held_out()
    return swept_by(project).answered().filter(document__in=held_out).count()


def lacks_tau(project: Project) -> bool:
    """Whether a version serves, but no τ is known for the project's method: it was chosen after
    the training. Without held-out gold it gets the default."""
    return project.serving is not None and project.threshold() is None


def request(chunk: Chunk) -> dict[str, Any]:
    """Raises `Impossible` where another version or method came since the job began."""
    job, project = chunk.job, chunk.job.project
    if (job.version, job.method) != (project.serving, project.method):
        raise Impossible("Another version or method came meanwhile; recalibrate again.")
    turns = frontier.turns(project)
    return schema.CalibrateRequest(
        chunk=chunk.pk,
        attempt=chunk.attempts,
        audited=list(audited(project, turns)),
        labels=[label.name for label in project.labels.all()],
        shares=turns.shares,
    ).to_json()


def audited(project: Project, turns: frontier.Turns) -> Iterator[schema.Audited]:
    """What is known of the spans of held-out gold, its mentions, and which sentences were read.
    What the LLM said of a label that is left out is not: as nothing follows from it, τ does not."""
    documents = gold.documents(project, Document.Split.DEV)
    while batch := list(islice(documents, suggestions.BATCH)):
        known = evidence.gather(project, [document.pk for document in batch])
        for document in batch:
            spans = [k.span for k in known.get(document.pk, [])]
            read = turns.read.get(document.pk, [])
            yield schema.Audited(spans, sorted(gold.mentions_of(document)), read)


def store(chunk: Chunk, answer: dict[str, Any]) -> int:
    """Records τ for the version that the job was about, and rebuilds what it routes."""
    result = schema.CalibrateResult.from_json(answer)
    job = chunk.job
    if job.version is None or not job.is_active:
        return 0
    found = result.calibration
    origin = Threshold.Origin.INTERSECTION if found.from_answers else Threshold.Origin.TRAINING
    floor = max(found.candidate_floor, job.version.candidate_floor())
    record_threshold(
        job.version,
        job.method,
        origin,
        replace(found, candidate_floor=floor),
        pool=result.pool,
        swept=held_out_swept(job.project),
        frontier=result.frontier,
    )
    # What the held-out gold says is kept and shown; a budget goes before it.
    budget.keep(job.project)
    suggestions.refresh_under_review(job.project)
    return 0

"""Choosing τ anew from held-out gold, as a step of the loop (LinkNER §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch

from mlworker import schema

from . import budget, evidence, frontier, gold, suggestions
from .asked import asked_by
from .models import Chunk, Document, Job, Mention, Prediction, Project, Tagging, Threshold
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
    does not rest on its answers about held-out gold yet and there are more of them."""
    threshold = project.threshold()
    if threshold is None:
        return False
    if held_out_swept(project) not in (0, threshold.swept):
        return True
    if not threshold.awaits_answers:
        return False
    answered = asked_by(project).answered()
    predicted = Prediction.objects.serving(project).filter(
        lane=Prediction.Lane.MENTION,
        tagging__document__in=project.documents.held_out(),
    )
    known: int = sum(interval["asked"] for interval in threshold.intervals)
    return predicted.filter(Exists(answered.about_outer_prediction())).count() > known


def held_out_swept(project: Project) -> int:
    """How many sentences of held-out gold the project's LLM has read."""
    held_out = project.documents.held_out()
    return swept_by(project).answered().filter(document__in=held_out).count()


def lacks_tau(project: Project) -> bool:
    """Whether a version serves, but no τ is known for the project's method: it was chosen after
    the training. Without held-out gold it gets the default."""
    return project.serving is not None and project.threshold() is None


def request(chunk: Chunk) -> dict[str, Any]:
    job = chunk.job
    turns = frontier.turns(job.project)
    return schema.CalibrateRequest(
        chunk=chunk.pk,
        attempt=chunk.attempts,
        outcomes=list(held_out(job)),
        candidates=list(candidates_of(job)),
        audited=list(audited(job, turns)),
        labels=[label.name for label in job.project.labels.all()],
        shares=turns.shares,
    ).to_json()


def held_out(job: Job) -> Iterator[schema.HeldOut]:
    """Each predicted mention of held-out gold: its uncertainty, and who was right about it."""
    project = job.project
    answers = {
        (q.document_id, q.start, q.end): q.answer for q in asked_by(project).answered().iterator()
    }
    taggings = Tagging.objects.filter(
        version=job.version,
        method=job.method,
        document__in=project.documents.held_out(),
    )
    mentions = Prediction.objects.filter(lane=Prediction.Lane.MENTION).select_related("label")
    accepted = Mention.objects.accepted().select_related("label")
    for tagging in taggings.select_related("document").prefetch_related(
        Prefetch("predictions", mentions), Prefetch("document__mentions", accepted)
    ):
        true = {(m.start, m.end): m.label for m in sorted(gold.mentions_of(tagging.document))}
        for p in tagging.predictions.all():
            right = true.get((p.start, p.end), schema.NO_ENTITY)
            said = answers.get((tagging.document_id, p.start, p.end))
            yield schema.HeldOut(
                uncertainty=p.uncertainty,
                local_correct=p.label.name == right,
                llm_correct=None if said is None else said == right,
            )


def audited(job: Job, turns: frontier.Turns) -> Iterator[schema.Audited]:
    """What is known of the spans of held-out gold, its mentions, and which sentences were read;
    nothing where another version or method came since the job began."""
    project = job.project
    if (job.version, job.method) != (project.serving, project.method):
        return
    threshold = project.threshold()
    documents = gold.documents(project, Document.Split.DEV)
    while batch := list(islice(documents, suggestions.BATCH)):
        known = evidence.gather(project, [document.pk for document in batch], threshold)
        for document in batch:
            spans = [k.span for k in known.get(document.pk, [])]
            read = turns.read.get(document.pk, [])
            yield schema.Audited(spans, sorted(gold.mentions_of(document)), read)


def candidates_of(job: Job) -> Iterator[schema.CandidateOutcome]:
    """Each candidate of held-out gold: its entity mass, and whether gold has a mention there."""
    found = Prediction.objects.filter(
        lane=Prediction.Lane.CANDIDATE,
        tagging__version=job.version,
        tagging__method=job.method,
        tagging__document__in=job.project.documents.held_out(),
    )
    accepted = Mention.objects.accepted().filter(
        document=OuterRef("tagging__document"), start=OuterRef("start"), end=OuterRef("end")
    )
    rows = found.annotate(is_mention=Exists(accepted)).values_list("probabilities", "is_mention")
    for probabilities, is_mention in rows.iterator():
        yield schema.CandidateOutcome(1 - probabilities[schema.NO_ENTITY], is_mention)


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

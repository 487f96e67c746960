"""Training as a step of the loop: gold goes out, a model version and its τ come back."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Max

from mlworker import schema

from . import gold
from .models import Chunk, Document, Job, ModelVersion, Project, Threshold
from .refusals import Impossible

FEWEST_DOCUMENTS = 10
COLD_EVERY = 5
"""One of how many versions begins with the encoder, so that what an earlier one learned from gold
that was corrected since does not stay for ever."""


def documents_missing(project: Project) -> int:
    """How many more gold documents a training needs to learn from."""
    have = Document.objects.gold().filter(project=project, split=Document.Split.TRAIN).count()
    return max(0, FEWEST_DOCUMENTS - have)


def prepare(project: Project) -> list[list[int]]:
    """Raises `Impossible` where there is too little gold to learn from. Training is one chunk."""
    if missing := documents_missing(project):
        raise Impossible(
            f"{FEWEST_DOCUMENTS - missing} gold documents to learn from are too few; review or "
            f"import at least {missing} more."
        )
    return [[]]


def request(chunk: Chunk) -> dict[str, Any]:
    job, project = chunk.job, chunk.job.project
    dataset = f"datasets/job-{job.pk}-{chunk.attempts}.jsonl"
    job.gold_at, job.version = gold.export(project, dataset), _start(job)
    job.save(update_fields=["gold_at", "version"])
    return schema.TrainRequest(
        chunk=chunk.pk,
        attempt=chunk.attempts,
        dataset=dataset,
        model=f"models/{uuid.uuid4()}",
        labels=[label.name for label in project.labels.all()],
        method=schema.Method(job.method),
        head=schema.Head(project.head),
        start=job.version.path if job.version else "",
    ).to_json()


def _start(job: Job) -> ModelVersion | None:
    """The version to go on from; None: begin with the encoder."""
    cold = job.cold or _last_number(job.project) % COLD_EVERY == 0
    return None if cold else job.project.serving


def _last_number(project: Project) -> int:
    found: int | None = project.versions.aggregate(last=Max("number"))["last"]
    return found or 0


def store(chunk: Chunk, answer: dict[str, Any]) -> int:
    """Records the version with its τ and lets it serve. A cancelled training is dropped."""
    job = chunk.job
    if not job.is_active:
        return 0
    result = schema.TrainResult.from_json(answer)
    version = ModelVersion.objects.create(
        project=job.project,
        number=_last_number(job.project) + 1,
        path=result.model,
        start=job.version if result.warm else None,
        encoder=result.encoder,
        head=result.head,
        labels=result.labels,
        train_documents=result.train_texts,
        dev_documents=result.dev_texts,
        skipped_mentions=result.skipped_mentions,
        scores=result.dev.to_json() if result.dev else None,
        seconds=result.seconds,
        gold_at=job.gold_at or job.created_at,
    )
    record_threshold(version, job.method, Threshold.Origin.TRAINING, result.calibration)
    Project.objects.filter(pk=job.project_id).update(serving=version)
    return 0


def record_threshold(
    version: ModelVersion,
    method: str,
    origin: str,
    calibration: schema.Calibration,
    *,
    pool: schema.Pool | None = None,
    swept: int = 0,
    frontier: schema.Frontier | None = None,
) -> Threshold:
    return Threshold.objects.create(
        version=version,
        method=method,
        tau=calibration.tau,
        low=calibration.low,
        high=calibration.high,
        candidate_floor=calibration.candidate_floor,
        origin=origin,
        intervals=[interval.to_json() for interval in calibration.intervals],
        pool=pool.to_json() if pool else None,
        swept=swept,
        frontier=frontier.to_json() if frontier else None,
        note=calibration.note,
    )


def is_due(project: Project) -> bool:
    """Whether enough documents were reviewed since the last training began, however it ended."""
    return project.retrain_after > 0 and documents_until_due(project) == 0


def documents_until_due(project: Project) -> int:
    """How many documents are still to be reviewed before the model learns by itself."""
    reviewed = Document.objects.gold().filter(project=project, reviewed_at__isnull=False)
    last = project.jobs.filter(kind=Job.Kind.TRAIN).first()
    if last is not None:
        reviewed = reviewed.filter(reviewed_at__gt=last.gold_at or last.created_at)
    return max(0, project.retrain_after - reviewed.count())

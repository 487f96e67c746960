"""Tagging as a step of the loop: texts go out, predictions come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from django.conf import settings

from mlworker import schema

from . import gold, suggestions
from .models import Chunk, Document, Job, Label, ModelVersion, Prediction, Project, Tagging
from .refusals import Impossible

Item = TypeVar("Item")


def prepare(project: Project) -> list[list[int]]:
    """Chunks of the documents that the serving version has not read; may be empty."""
    if project.serving is None:
        raise Impossible("There is no model yet; train one first.")
    unread = Document.objects.filter(project=project).unread_by(project.serving)
    return in_pieces(list(unread.values_list("pk", flat=True)), settings.CHUNK_DOCUMENTS)


def missed(job: Job, project: Project) -> bool:
    """Whether documents came in, or another version began to serve, while `job` tagged."""
    if project.serving is None:
        return False
    unread = Document.objects.filter(project=project).unread_by(project.serving)
    if job.version_id != project.serving.pk:
        return unread.exists()
    tried = {pk for items in job.chunks.values_list("items", flat=True) for pk in items}
    return not tried.issuperset(unread.values_list("pk", flat=True))


def in_pieces(items: list[Item], size: int) -> list[list[Item]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def request(chunk: Chunk) -> dict[str, Any]:
    project, version = chunk.job.project, _version(chunk.job)
    documents = Document.objects.filter(pk__in=chunk.items).select_related("project").order_by("pk")
    return schema.TagRequest(
        chunk=chunk.pk,
        attempt=chunk.attempts,
        model=version.path,
        method=schema.Method(chunk.job.method),
        texts=[gold.as_text(document) for document in documents],
        candidates_per_100=project.candidates_per_100,
        candidate_floor=version.candidate_floor(),
    ).to_json()


def _version(job: Job) -> ModelVersion:
    if job.version is None:
        raise Impossible("The model version that was to tag is gone; tag again.")
    return job.version


def store(chunk: Chunk, answer: dict[str, Any]) -> int:
    """Writes each document's predictions once per version and method, and its suggestions."""
    result = schema.TagResult.from_json(answer)
    job, project = chunk.job, chunk.job.project
    version = _version(job)
    labels = {label.name: label for label in project.labels.all()}
    # Locked, so that an answer that comes twice at once is stored once. What was deleted while it
    # was being tagged is not among them.
    locked = Document.objects.filter(pk__in=chunk.items).select_for_update()
    known = set(locked.values_list("pk", flat=True))
    stored = Tagging.objects.filter(document__in=known, version=version, method=job.method)
    unread = known.difference(stored.values_list("document_id", flat=True))
    texts = [text for text in result.texts if text.id in unread]
    taggings = Tagging.objects.bulk_create(
        Tagging(
            document_id=text.id,
            version=version,
            method=job.method,
            sentences=[[s.start, s.end, s.missed] for s in text.sentences],
            faint=[[f.start, f.end, f.probabilities] for f in text.faint],
        )
        for text in texts
    )
    Prediction.objects.bulk_create(
        prediction
        for tagging, text in zip(taggings, texts, strict=True)
        for prediction in _predictions(tagging, text, labels)
    )
    suggestions.refresh(project, known)
    return len(chunk.items)


def _predictions(
    tagging: Tagging, text: schema.TaggedText, labels: dict[str, Label]
) -> Iterator[Prediction]:
    return (
        Prediction(
            tagging=tagging,
            start=span.start,
            end=span.end,
            label=labels[span.label],
            lane=span.lane,
            probabilities=span.probabilities,
            uncertainty=min(1.0, max(0.0, span.uncertainty)),
            sentence_start=span.sentence_start,
            sentence_end=span.sentence_end,
            nearest=[example.to_json() for example in span.nearest],
        )
        for span in text.spans
        if span.label in labels  # a label may be gone since the version learned it
    )

"""`python -m webapp.bench.filling DATA DOCUMENTS`: fills the database of the environment with the
projects that the bench works on, and prints what they are as one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
django.setup()

from django.db import transaction  # noqa: E402  (models are there only after `setup`)
from django.utils import timezone  # noqa: E402

from annotator import models, presets  # noqa: E402
from annotator.models import Document, Mention, Prediction, Project, Tagging, User  # noqa: E402
from annotator.projects import create_project  # noqa: E402
from annotator.suggestions import weigh  # noqa: E402
from mlworker import schema  # noqa: E402
from webapp.bench import corpus  # noqa: E402

ANNOTATORS = 8
PRESET = "wnut17"
TAU = 0.4
"""Of mentions as unsure as `_prediction` draws them, about a third needs a person."""
BATCH = 500
ROWS = 2000


@dataclass(frozen=True)
class Filled:
    """Slugs of the projects, names and password of the annotators, and ids of documents: that of
    the five-step job, and the long ones (20,000 words; 200 KB)."""

    queue: str
    job: str
    long: str
    job_document: int
    long_documents: list[int]
    annotators: list[str]
    password: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m webapp.bench.filling", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("documents", type=int)
    options = parser.parse_args()
    print(json.dumps(asdict(fill(corpus.read(options.data), options.documents))))


def fill(texts: Sequence[schema.Text], documents: int) -> Filled:
    """Makes a project with a queue of `documents`, one with the five-step job and a document to go
    on to, and one with long documents."""
    draw = random.Random(1)  # noqa: S311  (the same figures for every run, nothing secret)
    password = secrets.token_urlsafe(16)
    people = [
        User.objects.create_user(f"annotator{n}", password=password, tour_seen=True)
        for n in range(1, ANNOTATORS + 1)
    ]
    queue, job, long = (_project(name, people) for name in ("Queue", "Five steps", "Long"))
    _store(queue, corpus.many(texts, documents, draw), draw)
    both = [
        corpus.long(texts, 2_000, words=20_000),
        corpus.long(texts, 1_171, size=200_000),
    ]
    return Filled(
        queue=queue.slug,
        job=job.slug,
        long=long.slug,
        job_document=_store(job, [corpus.job(), schema.Text(0, "That is all.")], draw)[0],
        long_documents=_store(long, both, draw),
        annotators=[person.username for person in people],
        password=password,
    )


def _project(name: str, people: Iterable[User]) -> Project:
    """With a version that serves; nothing here loads its model."""
    project = create_project(name, presets.labels_of(PRESET), retrain_after=0)
    annotator = models.Membership.Role.ANNOTATOR
    models.Membership.objects.bulk_create(
        models.Membership(project=project, user=user, role=annotator) for user in people
    )
    project.serving = models.ModelVersion.objects.create(
        project=project,
        number=1,
        path=f"models/{project.pk}/1",
        encoder="none",
        train_documents=0,
        dev_documents=0,
        skipped_mentions=0,
        seconds=0,
        labels=[label.name for label in project.labels.all()],
        gold_at=timezone.now(),
    )
    project.serving.thresholds.create(
        method=project.method, tau=TAU, origin=models.Threshold.Origin.TRAINING
    )
    project.save()
    return project


def _store(project: Project, texts: Iterable[schema.Text], draw: random.Random) -> list[int]:
    """Makes documents as if the serving version had read `texts`; their ids."""
    rest, stored = iter(enumerate(texts, 1)), []
    labels = {label.name: label for label in project.labels.all()}
    while batch := list(islice(rest, BATCH)):
        rows = [_Rows.of(project, text, f"{project.name} {n}", labels, draw) for n, text in batch]
        with transaction.atomic():
            Document.objects.bulk_create(row.document for row in rows)
            Tagging.objects.bulk_create(row.tagging for row in rows)
            Prediction.objects.bulk_create((p for row in rows for p in row.predictions), ROWS)
            Mention.objects.bulk_create((m for row in rows for m in row.mentions), ROWS)
        stored += [row.document.pk for row in rows]
    return stored


@dataclass(frozen=True)
class _Rows:
    """A document and all that belongs to it, unsaved."""

    document: Document
    tagging: Tagging
    predictions: list[Prediction]
    mentions: list[Mention]

    @classmethod
    def of(
        cls,
        project: Project,
        text: schema.Text,
        name: str,
        labels: dict[str, models.Label],
        draw: random.Random,
    ) -> _Rows:
        status = Document.Status.TAGGED
        document = Document.of(project, text, name=name, status=status)
        tagging = Tagging(document=document, version=project.serving, method=project.method)
        predictions = [
            _prediction(tagging, found, labels.get(found.label, labels[corpus.ADDED]), draw)
            for found in text.mentions
        ]
        mentions = [_mention(document, prediction) for prediction in predictions]
        weigh(document, mentions)
        return cls(document, tagging, predictions, mentions)


def _prediction(
    tagging: Tagging, found: schema.Mention, label: models.Label, draw: random.Random
) -> Prediction:
    unsure = round(draw.betavariate(1, 2), 4)
    return Prediction(
        tagging=tagging,
        start=found.start,
        end=found.end,
        label=label,
        lane=Prediction.Lane.MENTION,
        probabilities={label.name: 1 - unsure, schema.NO_ENTITY: unsure},
        uncertainty=unsure,
        sentence_start=0,
        sentence_end=tagging.document.length,
    )


def _mention(document: Document, prediction: Prediction) -> Mention:
    needs = prediction.uncertainty > TAU
    mention = Mention(
        document=document,
        start=prediction.start,
        end=prediction.end,
        label=prediction.label,
        source=Mention.Source.LOCAL,
        needs_person=needs,
        reason="The local model is unsure." if needs else "",
        prediction=prediction,
    )
    mention.take_form(document.text)
    return mention


if __name__ == "__main__":
    main()

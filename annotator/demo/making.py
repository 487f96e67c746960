"""The demo project, made at first start: half of it gold, the other half to be reviewed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from annotator import chunks, training
from annotator.models import Document, Import, Job, Label, Mention, Project, User
from annotator.projects import create_project
from mlworker import schema

from . import corpus

RECORDING = "demo"
RETRAIN_AFTER = 3


def make(owner: User) -> Project:
    """The demo project with its training already waiting for a worker."""
    project = create_project(
        "Demo",
        corpus.labels(),
        owner=owner,
        guidelines=corpus.guidelines(),
        provider=Project.Provider.RECORDED,
        recording=RECORDING,
        retrain_after=RETRAIN_AFTER,
    )
    _add_documents(project, corpus.read())
    chunks.open_job(project, Job.Kind.TRAIN, training.prepare(project), user=owner)
    return project


def _add_documents(project: Project, texts: list[corpus.DemoText]) -> None:
    source = Import.objects.create(
        project=project,
        filename=corpus.CORPUS.name,
        sha256=hashlib.sha256(Path(corpus.CORPUS).read_bytes()).hexdigest(),
        format="text",
        documents_count=len(texts),
    )
    documents = [
        Document.of(
            project,
            schema.Text(0, text.text),
            source=source,
            name=f"{text.kind} {number}",
            meta={"kind": text.kind},
            split=text.split,
            status=Document.Status.GOLD if text.gold else Document.Status.NEW,
        )
        for number, text in enumerate(texts, 1)
    ]
    Document.objects.bulk_create(documents)
    labels = {label.name: label for label in project.labels.all()}
    Mention.objects.bulk_create(
        _mention(document, mention, labels[mention.label])
        for document, text in zip(documents, texts, strict=True)
        for mention in text.mentions
    )


def _mention(document: Document, given: schema.Mention, label: Label) -> Mention:
    mention = Mention(document=document, start=given.start, end=given.end, label=label)
    mention.state, mention.source = Mention.State.ACCEPTED, Mention.Source.IMPORT
    mention.take_form(document.text)
    return mention

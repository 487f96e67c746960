"""Rows for tests, made through the models: plain functions, sensible defaults."""

from __future__ import annotations

import itertools
import re
from datetime import date
from typing import Any

from django.utils import timezone

from annotator.models import (
    Document,
    Import,
    Job,
    Label,
    LLMCall,
    Membership,
    Mention,
    ModelVersion,
    Prediction,
    Price,
    Project,
    Prompt,
    Question,
    SweptSentence,
    Tagging,
    Threshold,
    User,
)
from annotator.suggestions import weigh
from mlworker import schema

PASSWORD = "correct horse battery"
MODEL = "big-model"
"""The LLM of those tests that have a server set up."""

LABELS = ("person", "place", "group")
_numbers = itertools.count(1)


def make_user(name: str = "", **fields: Any) -> User:
    return User.objects.create_user(name or f"reader{next(_numbers)}", password=PASSWORD, **fields)


def make_project(
    name: str = "",
    *,
    owner: User | None = None,
    annotator: User | None = None,
    labels: tuple[str, ...] = LABELS,
    **fields: Any,
) -> Project:
    project = Project.objects.create(name=name or f"Project {next(_numbers)}", **fields)
    for position, label in enumerate(labels):
        description = f"Names of a {label}."
        Label.objects.create(
            project=project, name=label, position=position, description=description
        )
    if owner is not None:
        add_member(project, owner, Membership.Role.OWNER)
    if annotator is not None:
        add_member(project, annotator)
    return project


def add_member(project: Project, user: User, role: str = Membership.Role.ANNOTATOR) -> Membership:
    return Membership.objects.create(project=project, user=user, role=role)


def make_document(project: Project, text: str = "Ada met Bo in Oslo.", **fields: Any) -> Document:
    fields = {"name": f"document {next(_numbers)}"} | fields
    document = Document.of(project, schema.Text(id=0, text=text), **fields)
    document.save()
    return document


def make_import(project: Project, **fields: Any) -> Import:
    number = next(_numbers)
    fields = {"filename": f"file{number}.txt", "sha256": f"{number:064x}"} | fields
    return Import.objects.create(project=project, format="text", **fields)


def make_version(project: Project, *, tau: float = 0.4, serve: bool = True) -> ModelVersion:
    number = project.versions.count() + 1
    version = ModelVersion.objects.create(
        project=project,
        number=number,
        path=f"models/{project.pk}/{number}",
        encoder="test",
        train_documents=80,
        dev_documents=20,
        skipped_mentions=0,
        scores={"precision": 71.2, "recall": 64.8, "f1": 67.8},
        seconds=12.5,
        labels=[label.name for label in project.labels.all()],
        gold_at=timezone.now(),
    )
    Threshold.objects.create(
        version=version, method=project.method, tau=tau, origin=Threshold.Origin.TRAINING
    )
    if serve:
        project.serving = version
        project.save()
    return version


def make_tagging(document: Document, *missed: float) -> Tagging:
    """The serving version has read the document; each line is a sentence, in which it expects to
    have `missed` so many mentions (none where nothing is given)."""
    sentences = [
        [*found.span(), missed[n] if n < len(missed) else 0.0]
        for n, found in enumerate(re.finditer(r"[^\n]+", document.text))
    ]
    tagging, _ = Tagging.objects.update_or_create(
        document=document,
        version=document.project.serving,
        method=document.project.method,
        defaults={"sentences": sentences},
    )
    return tagging


def make_prediction(
    document: Document,
    surface: str,
    label: str,
    *,
    uncertainty: float = 0.2,
    lane: str = Prediction.Lane.MENTION,
    probabilities: dict[str, float] | None = None,
) -> Prediction:
    """A prediction of the serving version for the first `surface` in the text."""
    tagging, _ = Tagging.objects.get_or_create(
        document=document, version=document.project.serving, method=document.project.method
    )
    start = document.text.index(surface)
    return Prediction.objects.create(
        tagging=tagging,
        start=start,
        end=start + len(surface),
        label=document.project.labels.get(name=label),
        lane=lane,
        probabilities=probabilities or {label: 1 - uncertainty, schema.NO_ENTITY: uncertainty},
        uncertainty=uncertainty,
        sentence_start=0,
        sentence_end=document.length,
    )


def make_question(document: Document, surface: str, answer: str = "", **fields: Any) -> Question:
    start = document.text.index(surface)
    fields = {
        "provider": Project.Provider.RECORDED,
        "model": "demo",
        "prompt_version": "choice.v2",
        "state": Question.State.ANSWERED if answer else Question.State.UNRESOLVED,
        "fingerprint": f"question {next(_numbers)}",
    } | fields
    return Question.objects.create(
        document=document,
        start=start,
        end=start + len(surface),
        sentence_start=0,
        sentence_end=document.length,
        answer=answer,
        **fields,
    )


def make_call(project: Project, **fields: Any) -> LLMCall:
    """A request with eight questions that was answered, unless `fields` say more."""
    fields = {
        "attempt": 1,
        "provider": Project.Provider.OPENAI,
        "model": "m",
        "prompt_version": "choice.v2",
        "state": LLMCall.State.ANSWERED,
        "questions_count": 8,
    } | fields
    return LLMCall.objects.create(project=project, **fields)


def make_swept_sentence(
    document: Document, found: dict[str, str] | None = None, **fields: Any
) -> SweptSentence:
    """The document's text, read whole: what was `found` is words to label."""
    named = []
    for words, label in (found or {}).items():
        start = document.text.index(words)
        named.append([start, start + len(words), label])
    fields = {
        "provider": Project.Provider.OPENAI,
        "model": "m",
        "prompt_version": "sweep.v1",
        "state": SweptSentence.State.ANSWERED,
        "start": 0,
        "end": document.length,
        "fingerprint": f"sentence {next(_numbers)}",
    } | fields
    return SweptSentence.objects.create(document=document, found=named, **fields)


def make_price(**fields: Any) -> Price:
    """Of `MODEL`, a million tokens of prompt and of answer for 200 and 400."""
    fields = {"model": MODEL, "since": date(2020, 1, 1), "prompt": 200, "completion": 400} | fields
    return Price.objects.create(**fields)


def make_mention(document: Document, surface: str, label: str, **fields: Any) -> Mention:
    """A mention of the first `surface` in the text; a suggestion unless `fields` say more."""
    start = document.text.index(surface)
    fields = {"source": Mention.Source.LOCAL} | fields
    mention = Mention(
        document=document,
        start=start,
        end=start + len(surface),
        label=document.project.labels.get(name=label),
        **fields,
    )
    mention.take_form(document.text)
    mention.save()
    if document.status != Document.Status.GOLD:
        document.status = Document.Status.TAGGED
    weigh(document, document.mentions.undecided().select_related("prediction"))
    document.save()
    return mention


def make_doubt(document: Document, surface: str, label: str, uncertainty: float = 0.6) -> Mention:
    """A suggestion that needs a person because the local model is unsure of it."""
    return make_mention(
        document,
        surface,
        label,
        needs_person=True,
        reason="The local model is unsure.",
        prediction=make_prediction(document, surface, label, uncertainty=uncertainty),
    )


def make_gold(project: Project, text: str, *mentions: tuple[str, str], **fields: Any) -> Document:
    """A gold document to learn from with these mentions (surface, label)."""
    document = make_document(project, text, **({"status": "gold", "split": "train"} | fields))
    for surface, label in mentions:
        make_mention(document, surface, label, state="accepted", source="person")
    return document


def make_prompt(project: Project, text: str = "Choose:\n{{options}}", **fields: Any) -> Prompt:
    number = project.prompts.count() + 1
    fields = {"form": Prompt.Form.CHOICE, "number": number} | fields
    return Prompt.objects.create(project=project, text=text, **fields)


def make_job(project: Project, kind: str = Job.Kind.TAG, **fields: Any) -> Job:
    return Job.objects.create(project=project, kind=kind, **fields)

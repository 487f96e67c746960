"""Documents of which some spans are to be asked about, and what became of those."""

from __future__ import annotations

from typing import Any

from annotator import linking
from annotator.models import Document, Mention, Project, Question
from tests import factories

TEXT = "It rained. Ada met Bo in Oslo. Nobody else came."
SENTENCE = "Ada met Bo in Oslo."


def make_project() -> Project:
    """It has recorded answers, and a version with τ = 0.4."""
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project, tau=0.4)
    return project


def tagged(project: Project, text: str = TEXT, **fields: Any) -> Document:
    """Ada is sure, Bo and Oslo are routed."""
    document = factories.make_document(project, text, **({"status": "tagged"} | fields))
    for surface, label, u, lane in (
        ("Ada", "person", 0.1, "mention"),
        ("Bo", "person", 0.7, "mention"),
        ("Oslo", "place", 0.2, "candidate"),
    ):
        prediction = factories.make_prediction(document, surface, label, uncertainty=u, lane=lane)
        prediction.sentence_start = TEXT.index(SENTENCE)
        prediction.sentence_end = prediction.sentence_start + len(SENTENCE)
        prediction.save()
    return document


def to_ask(project: Project) -> set[tuple[int, str]]:
    """The id of the document and the words of each span that the LLM is to be asked about."""
    return {(p.tagging.document_id, TEXT[p.start : p.end]) for p in linking.to_ask(project)}


def questions(document: Document) -> dict[str, Question]:
    return {TEXT[q.start : q.end]: q for q in document.questions.all()}


def shown(document: Document) -> dict[str, Mention]:
    return {m.surface: m for m in document.mentions.all()}

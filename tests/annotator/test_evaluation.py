"""The figures of a case that was counted by hand."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from annotator.asked import whom
from annotator.evaluation import evaluate
from annotator.models import Document, Project
from annotator.refusals import Impossible
from mlworker.schema import NO_ENTITY
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project(
        "Counted", provider=Project.Provider.RECORDED, recording="demo"
    )
    factories.make_version(project, tau=0.4)
    return project


def make(project: Project, text: str, *mentions: tuple[str, str], split: str = "test") -> Document:
    document = factories.make_document(project, text, status="gold", split=split)
    for surface, label in mentions:
        factories.make_mention(document, surface, label, state="accepted", source="import")
    return document


def read(
    document: Document, surface: str, label: str, u: float, answer: str = "", lane: str = "mention"
) -> None:
    factories.make_prediction(document, surface, label, uncertainty=u, lane=lane)
    if answer:
        factories.make_question(document, surface, answer, **asdict(whom(document.project)))


def test_a_case_counted_by_hand(project: Project) -> None:
    first = make(
        project,
        "Ada met Bo in Oslo, Rome and Kyiv.",
        ("Ada", "person"),
        ("Bo", "person"),
        ("Oslo", "place"),
        ("Kyiv", "place"),
    )
    factories.make_mention(first, "Rome", "place", state="rejected")
    read(first, "Ada", "person", 0.1)  # right, sure
    read(first, "Bo", "group", 0.7, "person")  # wrong; the LLM puts it right
    read(first, "Oslo", "place", 0.8, NO_ENTITY)  # right; the LLM takes it away
    read(first, "Rome", "place", 0.6)  # wrong; the LLM gave no answer
    read(first, "Kyiv", "place", 0.3, "place", lane="candidate")  # missed; the LLM finds it
    second = make(project, "It rained on Monday.")
    read(second, "Monday", "person", 0.2, NO_ENTITY)  # wrong and sure: the answer does not count
    read(second, "rained", "place", 0.2, NO_ENTITY, lane="candidate")
    make(project, "Ada again.", ("Ada", "person"), split="dev")
    assert evaluate(project, "test") == {
        "project": "Counted",
        "split": "test",
        "documents": 2,
        "gold": 4,
        "model_version": 1,
        "method": "least_confidence",
        "tau": 0.4,
        "routed": 5,
        "asked": 4,
        # Ada, Bo (wrong), Oslo, Rome (wrong), Monday (wrong): 2 of 5; 2 of 4
        "local": {"precision": 40.0, "recall": 50.0, "f1": 44.44},
        # Bo, Kyiv: 2 of 2; 2 of 4
        "llm": {"precision": 100.0, "recall": 50.0, "f1": 66.67},
        # Ada, Bo, Rome (wrong), Kyiv, Monday (wrong): 3 of 5; 3 of 4
        "fused": {"precision": 60.0, "recall": 75.0, "f1": 66.67},
    }


def test_without_answers_there_is_no_llm_to_count(project: Project) -> None:
    document = make(project, "Ada met Bo.", ("Ada", "person"))
    read(document, "Ada", "person", 0.9)
    figures = evaluate(project, "test")
    assert (figures["llm"], figures["routed"], figures["asked"]) == (None, 1, 0)
    assert figures["local"] == figures["fused"]


def test_a_mention_counts_only_with_span_and_label_exact(project: Project) -> None:
    document = make(project, "Ada met Bo.", ("Ada", "person"), ("Bo", "person"))
    read(document, "Ada met", "person", 0.1)
    read(document, "Bo", "place", 0.1)
    assert evaluate(project, "test")["local"] == {"precision": 0, "recall": 0, "f1": 0}


def test_what_cannot_be_counted_says_why(project: Project) -> None:
    with pytest.raises(Impossible, match="no gold in the split “test”"):
        evaluate(project, "test")
    make(project, "Ada met Bo.", ("Ada", "person"))
    with pytest.raises(Impossible, match="Some documents of “test” are not tagged yet; tag first"):
        evaluate(project, "test")
    with pytest.raises(Impossible, match="no model yet"):
        evaluate(factories.make_project(), "test")

"""Gold goes out with its provenance, and comes back in as it was."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from typing import Any

import pytest

from annotator import exporting, formats, importing, review
from annotator.asked import whom
from annotator.formats import Loss
from annotator.models import Document, Mention, Project, User
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = "👩‍🚀 Ada met Bo in Oslo."


@pytest.fixture
def user() -> User:
    return factories.make_user("ada")


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project, tau=0.4)
    return project


def submit(document: Document, user: User) -> None:
    review.submit(document, user, id=uuid.uuid4())


def text(project: Project, format: str, losses: list[Loss] | None = None) -> str:
    return "".join(exporting.export(project, format, losses))


def rows(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(project, "jsonl").splitlines()]


def test_jsonl_tells_where_each_mention_comes_from(project: Project, user: User) -> None:
    document = factories.make_document(project, TEXT, name="letter", meta={"kind": "mail"})
    prediction = factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    question = factories.make_question(document, "Ada", "person", **asdict(whom(project)))
    factories.make_mention(
        document, "Ada", "person", source="llm", prediction=prediction, question=question
    )
    bo = factories.make_mention(document, "Bo", "place")
    factories.make_mention(document, "Oslo", "place", maybe=True, needs_person=True)
    review.decide(document, user, review.Decision(uuid.uuid4(), "reject", mention=bo.pk))
    at = TEXT.index("Bo")
    add = review.Decision(uuid.uuid4(), "add", start=at, end=at + 2, label="person")
    review.decide(document, user, add)
    submit(document, user)
    [row] = rows(project)
    assert (row["text"], row["name"], row["gold"], row["meta"]) == (
        TEXT,
        "letter",
        True,
        {"kind": "mail"},
    )
    ada, bo_row = row["mentions"]
    decided = {mention.pop("decided_at")[:4] for mention in (ada, bo_row)}
    assert len(decided) == 1
    assert ada == {
        "start": TEXT.index("Ada"),
        "end": TEXT.index("Ada") + 3,
        "label": "person",
        "text": "Ada",
        "source": "llm",
        "model_version": "1",
        "uncertainty": 0.7,
        "right": None,
        "routing": "human",
        "llm_label": "person",
        "decided_by": "ada",
        "evidence": "submit",
    }
    assert (bo_row["source"], bo_row["decided_by"], bo_row["evidence"]) == (
        "person",
        "ada",
        "decision",
    )


def test_what_nobody_decided_names_nobody_and_maybes_stay_here(project: Project) -> None:
    document = factories.make_document(project, TEXT)
    factories.make_mention(document, "Ada", "person")
    factories.make_mention(document, "Oslo", "place", maybe=True, needs_person=True)
    [row] = rows(project)
    assert row["gold"] is False
    assert [(m["text"], m["decided_by"], m["routing"]) for m in row["mentions"]] == [
        ("Ada", "", "accept")
    ]


def test_every_format_that_can_be_written_is_offered() -> None:
    assert set(exporting.FORMATS) == set(formats.written())


@pytest.mark.parametrize("format", sorted(exporting.FORMATS))
def test_gold_comes_back_as_it_was(project: Project, format: str) -> None:
    data = b"Ada B-person\nmet O\nBo B-person\nin O\nOslo B-place\n\nEnd O\n"
    importing.import_file(project, filename="a.conll", data=data, gold=True)
    losses: list[Loss] = []
    exported = text(project, format, losses)
    again = factories.make_project()
    extension = exporting.FORMATS[format].extension
    importing.import_file(
        again, filename=f"b.{extension}", data=exported.encode(), format=format, gold=True
    )

    def held(of: Project) -> list[tuple[str, list[tuple[int, int, str, str]]]]:
        return [
            (d.text, [(m.start, m.end, m.label.name, m.state) for m in d.mentions.all()])
            for d in of.documents.all()
        ]

    assert held(again) == held(project)
    assert losses == []


def test_what_is_not_gold_comes_back_as_suggestions(project: Project, user: User) -> None:
    done = factories.make_document(project, TEXT)
    submit(done, user)
    waiting = factories.make_document(project, TEXT)
    factories.make_mention(waiting, "Ada", "person")
    again = factories.make_project()
    importing.import_file(again, filename="a.jsonl", data=text(project, "jsonl").encode())
    assert [m.state for m in Mention.objects.filter(document__project=again)] == ["suggested"]


def test_what_a_format_cannot_carry_is_counted(project: Project) -> None:
    document = factories.make_document(project, TEXT, status="gold")
    factories.make_mention(document, "da", "person", state="accepted")
    losses: list[Loss] = []
    text(project, "conll", losses)
    assert [loss.mention.label for loss in losses] == ["person"]


def test_an_empty_project_is_an_empty_file(project: Project) -> None:
    assert text(project, "jsonl") == ""
    assert json.loads(text(project, "labelstudio")) == []


def test_what_the_llm_found_as_it_read_says_so_and_how_probably_it_is_right() -> None:
    project = factories.make_project()
    document = factories.make_document(project, TEXT)
    factories.make_mention(document, "Ada", "person", source="sweep", right=0.9312345)
    (row,) = [json.loads(line) for line in exporting.export(project, "jsonl")]
    (mention,) = row["mentions"]
    assert (mention["source"], mention["right"], mention["routing"]) == ("sweep", 0.93123, "llm")
    assert (mention["model_version"], mention["uncertainty"]) == ("", None)
    (task,) = json.loads("".join(exporting.export(project, "labelstudio")))
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("sweep", 0.93123)

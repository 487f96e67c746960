"""Which questions tell who was right: those about routed spans that people checked."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from annotator import checked
from annotator.asked import whom
from annotator.bought import Bought, Checked
from annotator.models import Document, Project, Question, Tagging
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project, tau=0.4)
    return project


def ask(document: Document, surface: str, answer: str, **fields: Any) -> Question:
    to = whom(document.project)
    fields = {"model": to.model, "prompt_version": to.prompt_version} | fields
    return factories.make_question(document, surface, answer, **fields)


def make_checked(project: Project, answer: str = "person", **fields: Any) -> Document:
    """“Bo” is a person; the local model takes it for a place, doubtfully."""
    document = factories.make_gold(
        project, "Ada met Bo.", ("Bo", "person"), **({"split": "dev"} | fields)
    )
    factories.make_prediction(document, "Bo", "place", uncertainty=0.7)
    ask(document, "Bo", answer)
    return document


def test_what_local_model_and_llm_said_is_set_against_gold(project: Project) -> None:
    for _ in range(2):
        make_checked(project)
    make_checked(project, answer="O")
    rows = sorted(checked.answers(project), key=lambda row: row.llm)
    assert rows == [
        Checked("place", "O", "person", 1, 0.0),
        Checked("place", "person", "person", 2, 0.0),
    ]


def test_a_candidate_is_what_the_local_model_calls_no_entity(project: Project) -> None:
    document = factories.make_gold(project, "Ada met Bo.", split="dev")
    factories.make_prediction(document, "Bo", "person", lane="candidate", uncertainty=0.1)
    ask(document, "Bo", "person")
    assert checked.answers(project) == [Checked("O", "person", "O", 1, 0.0)]


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"split": "dev"}, True),
        ({"split": "test"}, True),
        ({"split": "train"}, False),
        ({"split": "train", "reviewed_at": timezone.now()}, True),
        ({"split": "none", "status": "tagged"}, False),
    ],
)
def test_only_what_people_checked_counts(
    project: Project, fields: dict[str, Any], counts: bool
) -> None:
    make_checked(project, **fields)
    assert len(checked.answers(project)) == counts


def test_answers_about_spans_below_tau_bought_nothing(project: Project) -> None:
    document = make_checked(project)
    document.taggings.get().predictions.update(uncertainty=0.4)
    assert checked.answers(project) == []


def test_answers_to_other_words_or_none_do_not_count(project: Project) -> None:
    document = make_checked(project)
    document.questions.update(prompt_version="another")
    assert checked.answers(project) == []
    document.questions.all().delete()
    ask(document, "Bo", "")
    assert checked.answers(project) == []


def test_the_version_that_read_the_document_last_is_the_local_model(project: Project) -> None:
    document = make_checked(project)
    project.refresh_from_db()
    factories.make_version(project, tau=0.4)
    assert [row.local for row in checked.answers(project)] == ["place"]
    document.project.refresh_from_db()
    factories.make_prediction(document, "Bo", "group", uncertainty=0.7)
    assert [row.local for row in checked.answers(project)] == ["group"]
    Tagging.objects.get(version=project.serving).predictions.all().delete()
    assert checked.answers(project) == []


def test_a_question_costs_what_one_takes_in_the_mean_and_all_of_them_what_was_paid(
    project: Project,
) -> None:
    call = factories.make_call(project, questions_count=3, micros=1000)
    for split in ("dev", "dev", "test", "train"):  # three were asked, one is a twin of these
        make_checked(project, split=split)
    make_checked(project, answer="O")
    Question.objects.update(call=call)
    assert sorted(checked.answers(project), key=lambda row: row.llm) == [
        Checked("place", "O", "person", 1, 200.0),
        Checked("place", "person", "person", 3, 600.0),
    ]
    project.documents.update(split="dev")
    assert sum(row.micros for row in checked.answers(project)) == 1000


def test_a_foreign_project_counts_for_nothing(project: Project) -> None:
    other = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(other, tau=0.4)
    make_checked(other)
    assert checked.answers(project) == []


def test_before_there_is_a_model_nothing_is_known() -> None:
    assert checked.rows(factories.make_project()) == []


def test_rows_are_in_the_order_of_labels_with_those_left_out_and_candidates_last(
    project: Project,
) -> None:
    for _ in range(6):
        make_checked(project, answer="group")  # the local model is as wrong: nothing is lost
    document = make_checked(project)
    factories.make_prediction(document, "Ada", "person", lane="candidate")
    ask(document, "Ada", "person")
    project.labels.filter(name="group").update(ask_llm=False)
    rows = checked.rows(project)
    assert [row.label and row.label.name for row in rows] == ["place", "group", None]
    assert rows[1].bought == Bought()
    assert not any(row.may_stop for row in rows)


def test_where_the_llm_loses_it_may_be_stopped_once(project: Project) -> None:
    for _ in range(6):
        document = factories.make_gold(project, "Ada met Bo.", ("Bo", "place"), split="dev")
        factories.make_prediction(document, "Bo", "place", uncertainty=0.7)
        ask(document, "Bo", "O")
    assert [row.may_stop for row in checked.rows(project)] == [True]
    project.labels.update(ask_llm=False)
    assert not any(row.may_stop for row in checked.rows(project))


def test_it_takes_as_many_queries_however_many_there_are(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        make_checked(project)
    # τ; twice the labels that make the words; the answers, and what answers cost
    with django_assert_num_queries(5):
        checked.answers(project)

"""How often people decide what the machine, or somebody before them, said."""

from __future__ import annotations

import uuid

import pytest

from annotator import agreement, review
from annotator.bought import Share
from annotator.models import Document, Project, User
from annotator.review import Decision
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project()
    factories.make_version(project)
    return project


@pytest.fixture
def ada() -> User:
    return factories.make_user("ada")


@pytest.fixture
def bo() -> User:
    return factories.make_user("bo")


def decide(document: Document, user: User, action: str, mention: int, **fields: str) -> None:
    review.decide(document, user, Decision(uuid.uuid4(), action, mention=mention, **fields))


def submit(document: Document, user: User) -> None:
    review.submit(document, user, id=uuid.uuid4())


def test_own_decisions_and_confirmed_ones_are_kept_apart(project: Project, ada: User) -> None:
    document = factories.make_document(project)
    same = factories.make_doubt(document, "Ada", "person")
    other = factories.make_doubt(document, "Oslo", "place")
    factories.make_doubt(document, "Bo", "person")
    decide(document, ada, "accept", same.pk)
    decide(document, ada, "relabel", other.pk, label="group")
    submit(document, ada)
    found = agreement.with_local(project)
    assert found.own == Share(1, 2)
    assert found.confirmed == Share(1, 1)


def test_to_reject_a_candidate_is_to_agree(project: Project, ada: User) -> None:
    document = factories.make_document(project)
    for surface, action in (("Ada", "reject"), ("Bo", "accept")):
        prediction = factories.make_prediction(document, surface, "person", lane="candidate")
        mention = factories.make_mention(document, surface, "person", prediction=prediction)
        decide(document, ada, action, mention.pk)
    assert agreement.with_local(project).own == Share(1, 2)


def test_to_move_a_span_is_to_disagree(project: Project, ada: User) -> None:
    document = factories.make_document(project)
    mention = factories.make_doubt(document, "Ada", "person")
    moved = Decision(uuid.uuid4(), "resize", mention=mention.pk, start=0, end=7)
    review.decide(document, ada, moved)
    assert agreement.with_local(project).own == Share(0, 1)


def test_with_the_llm_its_answer_counts(project: Project, ada: User) -> None:
    document = factories.make_document(project)
    for surface, answer, action in (
        ("Ada", "person", "accept"),
        ("Bo", "O", "reject"),
        ("Oslo", "group", "accept"),
    ):
        question = factories.make_question(document, surface, answer)
        mention = factories.make_mention(document, surface, "person", question=question)
        decide(document, ada, action, mention.pk)
    unanswered = factories.make_question(document, "met")
    mention = factories.make_mention(document, "met", "person", question=unanswered)
    decide(document, ada, "accept", mention.pk)
    assert agreement.with_llm(project).own == Share(2, 3)


def test_predictions_that_are_gone_are_left_out(project: Project, ada: User) -> None:
    document = factories.make_document(project)
    decide(document, ada, "accept", factories.make_doubt(document, "Ada", "person").pk)
    project.versions.all().delete()
    assert agreement.with_local(project).own == Share(0, 0)


def test_whoever_submits_later_keeps_or_changes_what_was_decided(
    project: Project, ada: User, bo: User
) -> None:
    document = factories.make_document(project)
    mentions = [factories.make_doubt(document, s, "person") for s in ("Ada", "Bo", "Oslo")]
    for mention in mentions:
        decide(document, ada, "accept", mention.pk)
    decide(document, bo, "accept", mentions[1].pk)
    decide(document, bo, "relabel", mentions[2].pk, label="place")
    assert agreement.with_earlier(project) == Share(0, 0), "nobody came to the end yet"
    submit(document, bo)
    assert agreement.with_earlier(project) == Share(2, 3)


def test_nobody_agrees_with_themselves(project: Project, ada: User) -> None:
    document = factories.make_document(project)
    decide(document, ada, "accept", factories.make_doubt(document, "Ada", "person").pk)
    submit(document, ada)
    assert agreement.with_earlier(project) == Share(0, 0)


def test_what_was_only_confirmed_is_nobodys_decision(project: Project, ada: User, bo: User) -> None:
    document = factories.make_document(project)
    mention = factories.make_doubt(document, "Ada", "person")
    submit(document, ada)
    decide(document, bo, "reject", mention.pk)
    submit(document, bo)
    assert agreement.with_earlier(project) == Share(0, 0)


def test_other_projects_do_not_count(project: Project, ada: User) -> None:
    elsewhere = factories.make_project()
    factories.make_version(elsewhere)
    document = factories.make_document(elsewhere)
    decide(document, ada, "accept", factories.make_doubt(document, "Ada", "person").pk)
    assert agreement.with_local(project).own == Share(0, 0)

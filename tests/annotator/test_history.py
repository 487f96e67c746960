"""Who did what when: days, people and active minutes, read from corrections."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator import history, review
from annotator.models import Document, Project, User
from annotator.review import Decision
from tests import factories

NOON = datetime(2026, 11, 14, 12, tzinfo=UTC)


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def then(when: datetime) -> Any:
    return patch("django.utils.timezone.now", return_value=when)


def accept(document: Document, user: User, surface: str, label: str, when: datetime) -> None:
    mention = factories.make_mention(document, surface, label)
    with then(when):
        review.decide(document, user, Decision(uuid.uuid4(), "accept", mention=mention.pk))


def submit(document: Document, user: User, when: datetime) -> None:
    with then(when):
        review.submit(document, user, id=uuid.uuid4())


@pytest.mark.django_db
def test_days_count_gold_and_keep_what_was_confirmed_apart(project: Project) -> None:
    ada, document = factories.make_user(), factories.make_document(project)
    accept(document, ada, "Ada", "person", NOON)
    factories.make_mention(document, "Oslo", "place")
    submit(document, ada, NOON + timedelta(days=2))
    factories.make_document(project)
    days = history.days(project, history.work(project), date(2026, 11, 17))
    found = [(day.day.day, day.gold, day.own, day.confirmed) for day in days]
    assert found == [(13, 0, 0, 0), (14, 0, 1, 0), (15, 0, 0, 0), (16, 1, 0, 1), (17, 0, 0, 0)]


@pytest.mark.django_db
def test_imported_gold_counts_from_the_day_it_came(project: Project) -> None:
    with then(NOON):
        factories.make_gold(project, "Oslo.", ("Oslo", "place"))
    [before, day] = history.days(project, [], NOON.date())
    assert (before.gold, day.gold, day.day) == (0, 1, NOON.date())


@pytest.mark.django_db
def test_a_project_in_which_nothing_was_done_has_no_days(project: Project) -> None:
    factories.make_document(project)
    assert history.days(project, history.work(project), NOON.date()) == []


@pytest.mark.django_db
def test_the_work_of_other_projects_does_not_count(project: Project) -> None:
    elsewhere = factories.make_document(factories.make_project())
    accept(elsewhere, factories.make_user(), "Ada", "person", NOON)
    assert history.work(project) == []


@pytest.mark.django_db
def test_people_stand_by_name_with_what_they_did(project: Project) -> None:
    zoe, ada = factories.make_user("zoe"), factories.make_user("Ada")
    for n, minute in enumerate((0, 1, 4, 30)):
        document = factories.make_document(project, f"{n} Ada met Bo.")
        accept(document, zoe, "Ada", "person", NOON + timedelta(minutes=minute))
    last = factories.make_document(project, "Bo in Oslo.")
    factories.make_mention(last, "Bo", "person")
    submit(last, ada, NOON)
    found = history.people(history.work(project), history.minutes(project))
    assert [person.name for person in found] == ["Ada", "zoe"]
    assert (found[0].own, found[0].confirmed, found[0].documents) == (0, 1, 1)
    assert (found[1].own, found[1].documents, found[1].days) == (4, 0, 1)
    assert found[1].minutes == 6
    assert found[1].decisions_per_minute == pytest.approx(4 / 6)


@pytest.mark.django_db
def test_the_share_of_own_decisions_leaves_submits_out(project: Project) -> None:
    ada, document = factories.make_user(), factories.make_document(project)
    accept(document, ada, "Ada", "person", NOON)
    factories.make_mention(document, "Oslo", "place")
    submit(document, ada, NOON)
    found = history.share(history.work(project))
    assert (found.own, found.confirmed, found.total) == (1, 1, 2)
    assert found.by_action == {"accept": 1, "relabel": 0, "resize": 0, "add": 0, "reject": 0}


def test_breaks_are_not_work() -> None:
    assert history.active_minutes([0, 60, 0, 2, 7, 13]) == 1 + 2 + 5 + 1 + 1
    assert history.active_minutes([]) == 0


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_active_minutes_lie_between_those_worked_and_those_passed(worked: list[int]) -> None:
    found = history.active_minutes(worked)
    assert len(set(worked)) <= found <= max(worked) - min(worked) + 1

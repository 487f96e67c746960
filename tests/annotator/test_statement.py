"""What the ledger adds up to, by outcome, by prompt and by month."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from annotator import statement
from annotator.models import LLMCall, Project, Spending
from annotator.statement import Taken, Words
from tests import factories

pytestmark = pytest.mark.django_db

State = LLMCall.State


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def test_requests_are_added_up_by_outcome(project: Project) -> None:
    for latency in (1000, 3000):
        factories.make_call(
            project, prompt_tokens=100, completion_tokens=10, micros=50, latency_ms=latency
        )
    factories.make_call(project, state=State.UNKNOWN, micros=700)
    found = statement.statement(project)
    assert found.by_state == {
        "answered": Taken(2, 16, 200, 20, 100, 4000, 2),
        "unknown": Taken(1, 8, 0, 0, 700, 0, 0),
    }
    assert [state.value for state, _ in found.states] == ["answered", "unknown"]
    assert (found.total.requests, found.total.tokens, found.total.micros) == (3, 220, 800)
    assert found.of(State.ANSWERED).seconds == 2
    assert found.of(State.FAILED) == Taken()
    assert found.of(State.UNKNOWN).seconds is None


def test_requests_are_added_up_by_model_and_prompt_the_newest_first(project: Project) -> None:
    factories.make_call(project, prompt_version="choice.v2+a", micros=1)
    factories.make_call(project, prompt_version="sweep.v1+b", micros=2)
    factories.make_call(project, prompt_version="choice.v2+a", state=State.FAILED, micros=4)
    by_words = statement.statement(project).by_words
    assert [(words, taken.micros) for words, taken in by_words.items()] == [
        (Words("m", "choice.v2+a"), 5),
        (Words("m", "sweep.v1+b"), 2),
    ]


def test_a_month_has_its_spending_and_its_requests(project: Project) -> None:
    call = factories.make_call(project, prompt_tokens=7)
    LLMCall.objects.filter(pk=call.pk).update(created_at=datetime(2026, 3, 31, 12, tzinfo=UTC))
    Spending.objects.create(project=project, month=date(2026, 2, 1), micros=3_000_000)
    Spending.objects.create(project=project, month=date(2026, 3, 1), micros=5_000_000)
    this, march, february = statement.months(project)
    assert this.first == timezone.localdate().replace(day=1)
    assert (this.spending.micros, this.taken) == (0, Taken())
    assert (march.first, march.spending.micros) == (date(2026, 3, 1), 5_000_000)
    assert march.taken.prompt_tokens == 7
    assert (february.spending.amount, february.taken.requests) == (3, 0)


def test_a_foreign_project_pays_for_itself(project: Project) -> None:
    other = factories.make_project()
    factories.make_call(other, micros=9)
    Spending.objects.create(project=other, month=date(2026, 2, 1), micros=9)
    assert statement.statement(project).total == Taken()
    assert len(statement.months(project)) == 1
    assert not statement.calls(project).exists()


def test_requests_are_listed_from_the_newest_on_by_outcome(project: Project) -> None:
    first = factories.make_call(project)
    lost = factories.make_call(project, state=State.UNKNOWN)
    last = factories.make_call(project)
    assert list(statement.calls(project)) == [last, lost, first]
    assert list(statement.calls(project, State.UNKNOWN)) == [lost]


def test_it_takes_as_many_queries_for_many_requests_as_for_one(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        factories.make_call(project, prompt_version=f"prompt.{number % 3}")
    with django_assert_num_queries(3):
        statement.statement(project)
        statement.months(project)

"""τ by a budget of questions."""

from __future__ import annotations

import pytest

from annotator import budget, linking, recalibrating
from annotator.models import Project, Threshold
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project()
    factories.make_version(project, tau=0.4)
    for n, u in enumerate([0.1, 0.2, 0.2, 0.3]):
        document = factories.make_document(project, f"Ada met Bo {n}.", status="tagged")
        factories.make_prediction(document, "Ada", "person", uncertainty=u)
    return project


def routed(project: Project, questions_per_100: float) -> int:
    project.questions_per_100 = questions_per_100
    project.save()
    budget.keep(project)
    return linking.to_ask(project).count()


@pytest.mark.parametrize(
    ("per_100", "sent"), [(0, 0), (25, 1), (50, 1), (75, 3), (100, 4), (900, 4)]
)
def test_as_many_are_routed_as_the_budget_and_ties_allow(
    project: Project, per_100: float, sent: int
) -> None:
    assert routed(project, per_100) == sent


def test_candidates_are_counted_too(project: Project) -> None:
    document = project.documents.first()
    factories.make_prediction(document, "Bo", "person", lane="candidate", uncertainty=0.9)
    assert routed(project, 50) == 2


def test_nothing_is_chosen_without_a_budget_or_without_predictions(project: Project) -> None:
    assert not budget.keep(project)
    empty = factories.make_project()
    factories.make_version(empty)
    empty.questions_per_100 = 5
    assert not budget.keep(empty)


def test_a_threshold_that_stays_the_same_is_not_recorded_again(project: Project) -> None:
    routed(project, 50)
    before = project.threshold()
    assert not budget.keep(project)
    assert project.threshold() == before
    project.questions_per_100 = 50.5
    assert budget.keep(project)
    assert project.threshold() != before


def test_the_budget_is_not_spent_on_held_out_gold_nor_overruled_by_it(project: Project) -> None:
    held_out = factories.make_document(project, "Ada met Bo.", status="gold", split="dev")
    factories.make_prediction(held_out, "Ada", "person", uncertainty=0.9)
    assert routed(project, 40) == 1
    assert not recalibrating.is_due(project)
    assert project.threshold().origin == Threshold.Origin.BUDGET

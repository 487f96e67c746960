"""Whether confidence and accuracy agree, and what τ keeps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator import reliability
from annotator.models import Project
from annotator.reliability import Outcome
from mlworker.evaluation import uncertainty_quality
from mlworker.schema import HeldOut
from tests import factories

OUTCOMES = st.lists(
    st.builds(lambda u, right: Outcome(1 - u, u, right), st.floats(0, 1), st.booleans()),
    min_size=1,
)


@given(OUTCOMES)
def test_every_span_is_in_one_tenth_with_its_confidence(found: list[Outcome]) -> None:
    parts = reliability.tenths(found)
    assert sum(part.right.n for part in parts) == len(found)
    assert sum(part.right.right for part in parts) == sum(o.is_right for o in found)
    assert all(p.low - 1e-9 <= p.confidence <= p.high + 1e-9 for p in parts)
    assert all(a.high <= b.low for a, b in pairwise(parts))


@given(OUTCOMES)
def test_the_calibration_error_is_the_one_that_evaluation_finds(found: list[Outcome]) -> None:
    outcomes = [HeldOut(1 - o.confidence, o.is_right) for o in found]
    error = reliability.calibration_error(reliability.tenths(found))
    assert error == pytest.approx(uncertainty_quality(outcomes, 0.5).ece, abs=1e-4)


@given(OUTCOMES, st.floats(0, 1))
def test_the_curve_counts_what_a_threshold_keeps(found: list[Outcome], tau: float) -> None:
    curve = reliability.risk_coverage(found)
    kept = [o for o in found if o.uncertainty <= tau]
    point = reliability.kept_at(curve, tau)
    if not kept:
        assert point is None
        return
    assert point is not None
    assert (point.kept, point.wrong) == (len(kept), sum(not o.is_right for o in kept))
    assert curve[-1].coverage == 1


@given(OUTCOMES, st.integers(1, 50))
def test_a_thinned_curve_keeps_its_ends(found: list[Outcome], most: int) -> None:
    curve = reliability.risk_coverage(found)
    thin = reliability.thinned(curve, most)
    assert thin[0] in curve
    assert thin[-1] == curve[-1]
    assert len(thin) <= most + 1
    assert thin == sorted(thin, key=lambda point: point.kept)


def test_no_spans_no_error() -> None:
    assert reliability.calibration_error(reliability.tenths([])) == 0


@pytest.fixture
def project() -> Project:
    project = factories.make_project()
    factories.make_version(project, tau=0.42)
    return project


@pytest.mark.django_db
def test_held_out_gold_says_who_was_right(project: Project) -> None:
    dev = factories.make_gold(project, "Ada in Oslo.", ("Ada", "person"), split="dev")
    factories.make_prediction(dev, "Ada", "person", uncertainty=0.1)
    factories.make_prediction(dev, "Oslo", "place", uncertainty=0.3)
    factories.make_prediction(dev, "in", "place", uncertainty=0.9, lane="candidate")
    learned = factories.make_gold(project, "Bo.", ("Bo", "person"))
    factories.make_prediction(learned, "Bo", "person")
    found = sorted(reliability.outcomes(project), key=lambda o: o.uncertainty)
    assert found == [Outcome(0.9, 0.1, True), Outcome(0.7, 0.3, False)]


@pytest.mark.django_db
def test_a_right_span_with_another_label_is_wrong(project: Project) -> None:
    dev = factories.make_gold(project, "Ada in Oslo.", ("Oslo", "place"), split="dev")
    factories.make_prediction(dev, "Oslo", "person")
    assert [o.is_right for o in reliability.outcomes(project)] == [False]


@pytest.mark.django_db
def test_doubts_fall_into_bins_and_split_at_tau(project: Project) -> None:
    document = factories.make_document(project, "Ada met Bo in Oslo, Kim did not.")
    values = {"Ada": 0.0, "Bo": 0.41, "Oslo": 0.44, "Kim": 1.0}
    for surface, u in values.items():
        factories.make_prediction(document, surface, "person", uncertainty=u)
    factories.make_prediction(document, "did", "place", uncertainty=0.5, lane="candidate")
    bins = reliability.doubts(project, 0.42)
    assert len(bins) == reliability.BINS
    found = {n: (b.count, b.routed) for n, b in enumerate(bins) if b.count}
    assert found == {0: (1, 0), 8: (2, 1), 19: (1, 1)}

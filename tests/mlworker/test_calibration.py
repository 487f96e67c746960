from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlworker.calibration import (
    DEFAULT_TAU,
    MIN_SPANS,
    REFERENCE_ACCURACY,
    ROLLING,
    THIN,
    calibrate,
    candidate_floor,
    tau_for_budget,
)
from mlworker.schema import Calibration, CandidateOutcome, HeldOut

uncertainty = st.one_of(st.floats(0, 1), st.sampled_from([k / 10 for k in range(11)]))
outcome = st.builds(HeldOut, uncertainty, st.booleans(), st.one_of(st.none(), st.booleans()))
answered = st.builds(HeldOut, uncertainty, st.booleans(), st.booleans())


def spread(local: list[float], llm: float | None, each: int = 40) -> list[HeldOut]:
    """`each` spans in every tenth of uncertainty, the local model right in shares `local`."""
    out = []
    for tenth, share in enumerate(local):
        for i in range(each):
            answer = None if llm is None else i % 10 < llm * 10
            out.append(HeldOut(tenth / 10 + 0.05, i < share * each, answer))
    return out


@settings(max_examples=100, deadline=None)
@given(st.lists(outcome, max_size=80))
def test_whatever_the_spans_are_tau_and_its_intervals_hold_together(spans: list[HeldOut]) -> None:
    found = calibrate(spans)
    assert 0 <= found.tau <= 1
    assert found.note
    assert Calibration.from_json(found.to_json()) == found
    assert (found.intervals[0].low, found.intervals[-1].high) == (0, 1)
    for left, right in zip(found.intervals, found.intervals[1:], strict=False):
        assert left.high == right.low
    assert sum(i.spans for i in found.intervals) == len(spans)
    assert sum(i.asked for i in found.intervals) == sum(o.llm_correct is not None for o in spans)
    asked = [o for o in spans if o.llm_correct is not None]
    if len(asked) >= MIN_SPANS:
        assert len(found.intervals) == 1 or all(i.asked >= THIN for i in found.intervals)
        assert found.tau in [i.low for i in found.intervals] + [1.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(answered, min_size=MIN_SPANS, max_size=80))
def test_no_other_bound_leaves_more_held_out_spans_right(spans: list[HeldOut]) -> None:
    def right(tau: float) -> int:
        return sum(bool(o.llm_correct if o.uncertainty > tau else o.local_correct) for o in spans)

    found = calibrate(spans)
    assert right(found.tau) >= max(right(b) for b in [0.0, *(i.high for i in found.intervals)])


def test_tau_is_where_the_curves_cross() -> None:
    local = [0.95, 0.95, 0.9, 0.85, 0.6, 0.5, 0.4, 0.4, 0.3, 0.2]
    assert calibrate(spread(local, 0.8)).tau == 0.4


def test_a_noisy_last_interval_does_not_turn_the_llm_off() -> None:
    local = [0.95, 0.95, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.3]
    noisy = spread(local, 0.8) + [HeldOut(0.95, True, False) for _ in range(THIN)]
    assert calibrate(noisy).tau == 0.2


def test_an_llm_that_is_always_better_gets_every_span() -> None:
    found = calibrate(spread([0.5] * 10, 0.9))
    assert found.tau == 0
    assert "every span" in found.note


def test_an_llm_that_is_never_better_gets_none() -> None:
    found = calibrate(spread([0.9] * 10, 0.9))
    assert found.tau == 1
    assert "nothing is routed" in found.note


def test_without_llm_answers_a_flat_reference_stands_in() -> None:
    local = [1.0, 0.95, 0.95, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5, 0.5]
    found = calibrate(spread(local, None))
    assert found.tau == 0.3
    assert f"{REFERENCE_ACCURACY:.0%}" in found.note
    assert all(i.llm_accuracy is None and i.asked == 0 for i in found.intervals)


def test_too_few_llm_answers_are_as_none() -> None:
    local = [1.0, 0.95, 0.95, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5, 0.5]
    few = [HeldOut(0.05, False, True)] * (MIN_SPANS - 1)
    assert "too few LLM answers" in calibrate(spread(local, None) + few).note


@pytest.mark.parametrize("count", [0, 1, MIN_SPANS - 1])
def test_too_few_spans_leave_the_default(count: int) -> None:
    found = calibrate([HeldOut(0.5, False, True)] * count)
    assert found.tau == DEFAULT_TAU
    assert str(count) in found.note


def test_uncertainty_on_a_bound_belongs_to_the_interval_below() -> None:
    found = calibrate([HeldOut(0.3, True, False)] * 20 + [HeldOut(0.31, False, True)] * 20)
    assert found.tau == 0.3
    assert [(i.low, i.high, i.spans) for i in found.intervals] == [(0, 0.3, 20), (0.3, 1, 20)]


def test_the_bootstrap_interval_holds_tau_and_narrows_with_more_spans() -> None:
    local = [0.95, 0.9, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    few, many = (calibrate(spread(local, 0.75, each)) for each in (20, 400))
    widths = []
    for found in (few, many):
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.tau <= found.high
        widths.append(found.high - found.low)
    assert widths[1] <= widths[0]


def test_without_enough_spans_there_is_no_interval() -> None:
    found = calibrate([HeldOut(0.5, True)] * (MIN_SPANS - 1))
    assert (found.low, found.high) == (None, None)


def looked_at(*accepted: bool) -> list[CandidateOutcome]:
    return [CandidateOutcome(0.5 - n / 1000, yes) for n, yes in enumerate(accepted)]


def test_candidates_end_where_acceptance_falls() -> None:
    found = candidate_floor(looked_at(*[True] * 40, *[False] * 60))
    # The 16th refusal leaves 4 mentions among the last 20.
    assert found == pytest.approx(0.5 - 55 / 1000)
    assert candidate_floor(looked_at(*[True, False] * 50)) == 0
    assert candidate_floor(looked_at(*[False] * (ROLLING - 1))) == 0
    assert candidate_floor(looked_at(*[False] * ROLLING)) == pytest.approx(0.5 - 19 / 1000)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), st.integers(0, 30))
def test_a_budget_is_kept_and_used_up_as_far_as_ties_allow(found: list[float], most: int) -> None:
    tau = tau_for_budget(found, most)
    routed = sum(u > tau for u in found)
    assert routed <= most
    lower = [u for u in found if u <= tau and u > 0]
    assert not lower or routed + sum(u == max(lower) for u in lower) > most

"""Scales, ticks and marks: figures that are drawn where their numbers are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from hypothesis import assume, given
from hypothesis import strategies as st

from annotator.views import charts, written
from annotator.views.charts import Chart, Scale

VALUES = st.floats(-1e6, 1e6)


@given(VALUES, VALUES, VALUES, VALUES)
def test_a_scale_keeps_order_and_stays_inside(low: float, high: float, a: float, b: float) -> None:
    assume(high - low > 1e-3)
    scale = Scale(low, high)
    first, second = sorted((a, b))
    assert 0 <= scale.at(first) <= scale.at(second) <= 100
    assert scale.at(low) == 0 == scale.up(high)
    assert scale.at(high) == 100 == scale.up(low)


@given(VALUES, VALUES)
def test_ticks_enclose_what_is_drawn_and_are_few_and_even(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assume(high == low or high - low > 1e-3)
    found = charts.ticks(low, high)
    slack = (found[1] - found[0]) * 1e-6
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= charts.TICKS + 2
    steps = [b - a for a, b in pairwise(found)]
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-3)


@given(st.integers(0, 10**7))
def test_what_is_counted_has_whole_ticks(most: int) -> None:
    assert all(tick == int(tick) for tick in charts.ticks(0, most, whole=True))


def test_known_ticks() -> None:
    assert charts.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert charts.ticks(0, 130) == [0, 50, 100, 150]
    assert charts.ticks(0, 3, whole=True) == [0, 1, 2, 3]
    assert charts.ticks(0, 0, whole=True) == [0, 1]


def test_an_area_is_closed_at_the_lower_end() -> None:
    unit = Scale(0, 1)
    assert charts.line([(0, 0.5), (1, 1)], unit, unit, "ink").points == "0,50 100,0"
    assert charts.area([(0, 0.5), (1, 1)], unit, unit, "ink").points == "0,100 0,50 100,0 100,100"
    assert charts.area([], unit, unit, "ink").points == ""


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_lying_bar_is_as_long_as_its_value_either_way(a: float, b: float) -> None:
    unit = Scale(0, 1)
    one, other = charts.lying(0, a, b, unit, ""), charts.lying(0, b, a, unit, "")
    assert one == other
    assert float(one.width.rstrip("%")) == pytest.approx(100 * abs(b - a), abs=0.02)


def test_stacked_columns_meet() -> None:
    unit = Scale(0, 1)
    below = charts.column(0, 0.5, 0, 0.25, x=unit, y=unit)
    above = charts.column(0, 0.5, 0.25, 1, x=unit, y=unit)
    assert (above.y, above.height, below.y, below.height) == ("0%", "75%", "75%", "25%")
    assert (below.x, below.width) == (above.x, above.width) == ("3%", "44%")


def test_a_rule_near_the_end_has_its_name_before_it() -> None:
    unit = Scale(0, 1)
    assert not charts.rule(0.3, "τ", unit).ends
    assert charts.rule(0.9, "τ", unit).ends


def test_coordinates_stay_readable_for_browsers_in_every_language() -> None:
    unit = Scale(0, 1)
    bar = charts.column(0, 0.05, 0, 0.123, x=unit, y=unit)
    path = charts.line([(0.125, 0.5), (1, 1)], unit, unit, "ink")
    with translation.override("de"):
        page = render_to_string("chart.html", {"chart": Chart("1.234", 1200, "", [bar], [path])})
    assert 'height="1200"' in page
    assert 'width="4.4%"' in page
    assert 'points="12.5,50 100,0"' in page


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["1,234,567", "12.5", "12.5 k", "0.25"]),
        ("de", ["1.234.567", "12,5", "12,5 k", "0,25"]),
    ],
)
def test_numbers_are_written_as_the_language_does(language: str, expected: list[str]) -> None:
    with translation.override(language):
        found = [written.count(1_234_567), written.decimal(12.5)]
        found += [written.short(12_500), written.short(0.25)]
    assert found == expected


def test_little_is_not_nothing() -> None:
    assert [written.share(part) for part in (0, 0.001, 0.5, 1)] == ["0%", "< 1%", "50%", "100%"]


def test_names_are_escaped() -> None:
    row = charts.row(0, "<script>alert(1)</script>", "1")
    page = render_to_string("chart.html", {"chart": Chart("<b>", rows=[row])})
    assert "<script>" not in page
    assert "<b>" not in page

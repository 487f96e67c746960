from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from mlworker import plots
from mlworker.schema import Calibration, HeldOut, Interval

LOCAL_ONLY = [HeldOut(0.0, True), HeldOut(0.1, True), HeldOut(0.15, False), HeldOut(0.8, False)]
ANSWERED = [
    HeldOut(0.05, True, False),
    HeldOut(0.3, True, True),
    HeldOut(0.7, False, True),
    HeldOut(0.9, False, True),
]
INTERVALS = [Interval(0.0, 0.3, 20, 0.9, 9, 0.7), Interval(0.3, 1.0, 10, 0.4, 8, 0.8)]
CROSSED = Calibration(0.3, INTERVALS, "", 0.2, 0.4)


def words(svg: str) -> set[str]:
    """All that is written in a figure; it must be well-formed."""
    return {text for found in ET.fromstring(svg).itertext() if (text := found.strip())}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.density(LOCAL_ONLY, "a <title>"),
        lambda: plots.crossing(CROSSED, "a <title>"),
        lambda: plots.thresholds(ANSWERED, 0.3, "a <title>"),
        lambda: plots.comparison(ANSWERED, 0.3, "a <title>"),
    ],
)
def test_a_figure_is_the_same_each_time_and_says_what_it_shows(draw: Callable[[], str]) -> None:
    svg = draw()
    assert svg == draw()
    assert {"a <title>", "right (%)"} <= words(svg)
    assert words(svg) & {"local model", "local model alone"}


def test_curves_of_the_llm_are_drawn_only_from_its_answers() -> None:
    unasked = Calibration(0.3, [Interval(0.0, 1.0, 20, 0.9, 0, None)], "")
    assert "LLM" in words(plots.crossing(CROSSED))
    assert "LLM" not in words(plots.crossing(unasked))
    both = "local model and LLM"
    assert both in words(plots.thresholds(ANSWERED, 0.3))
    assert both not in words(plots.thresholds(LOCAL_ONLY, 0.3))
    with pytest.raises(ValueError, match="answers of an LLM"):
        plots.comparison(LOCAL_ONLY, 0.3)


def test_figures_of_nothing_are_empty_and_no_error() -> None:
    nothing = Calibration(0.3, [], "")
    for svg in (plots.density([]), plots.crossing(nothing), plots.thresholds([], 0.3)):
        assert "local model" not in words(svg)


def test_intervals_are_open_below_and_closed_above() -> None:
    counts = [len(inside) for inside in plots._by_tenth(LOCAL_ONLY)]
    assert counts == [2, 1, 0, 0, 0, 0, 0, 1, 0, 0]
    assert [plots._right(inside) for inside in plots._by_tenth(LOCAL_ONLY)][:3] == [100, 0, None]


def test_above_the_threshold_the_llm_decides() -> None:
    by_tau = [plots._fused(ANSWERED, tau) for tau in (0.0, 0.1, 0.3, 0.7, 1.0)]
    assert by_tau == [75, 100, 100, 75, 50]


def test_matplotlib_is_loaded_only_to_draw_and_its_settings_stay() -> None:
    code = (
        "import sys; from mlworker import plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.density([])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "import matplotlib; assert matplotlib.rcParams['svg.hashsalt'] is None\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)

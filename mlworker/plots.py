"""The figures of LinkNER (Zhang et al., WWW '24) for any corpus, as SVG.

Each function takes data and returns an SVG document, the same one for the same data. What an LLM
would have answered is never made up: without its answers its curves are missing.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from mlworker.schema import Calibration, HeldOut

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TENTHS = [k / 10 for k in range(11)]
INCHES = (5.6, 3.5)

# Told apart by the colour-blind too (Okabe and Ito).
LOCAL, LLM, FUSED, BARS, TAU = "#0072b2", "#d55e00", "#009e73", "#ccd6df", "#555555"

UNCERTAINTY = "uncertainty of the local model"
RIGHT = "right (%)"


def density(outcomes: Sequence[HeldOut], title: str = "") -> str:
    """Fig. 4: how many predicted mentions are right at each uncertainty, and how many there are."""
    figure, axes, behind = _canvas(title, UNCERTAINTY, RIGHT, "predicted mentions (%)")
    intervals = _by_tenth(outcomes)
    shares = [_percent(len(inside), len(outcomes)) or 0.0 for inside in intervals]
    bars = behind.bar(_middles(TENTHS), shares, 0.09, color=BARS)
    behind.bar_label(bars, [str(len(i)) for i in intervals], fontsize=7, color=TAU, padding=2)
    _curve(axes, TENTHS, [_right(inside) for inside in intervals], LOCAL, "local model")
    return _svg(figure, axes)


def crossing(calibration: Calibration, title: str = "") -> str:
    """Fig. 5: τ is where the curves of local model and LLM cross; shaded, its 95 % interval."""
    figure, axes, behind = _canvas(title, UNCERTAINTY, RIGHT, "held-out spans")
    found = calibration.intervals
    edges = [*(i.low for i in found), *(i.high for i in found[-1:])]
    widths = [0.9 * (i.high - i.low) for i in found]
    behind.bar(_middles(edges), [i.spans for i in found], widths, color=BARS)
    local, asked = [i.local_accuracy for i in found], [i.llm_accuracy for i in found]
    _curve(axes, edges, [_hundredfold(share) for share in local], LOCAL, "local model")
    if any(share is not None for share in asked):
        _curve(axes, edges, [_hundredfold(share) for share in asked], LLM, "LLM")
    if calibration.low is not None and calibration.high is not None:
        axes.axvspan(calibration.low, calibration.high, color=TAU, alpha=0.12, linewidth=0)
    _threshold(axes, calibration.tau)
    return _svg(figure, axes)


def thresholds(outcomes: Sequence[HeldOut], tau: float, title: str = "") -> str:
    """Fig. 6: how many mentions are right where the LLM decides all above each threshold.

    Bars show the share that is routed. Only mentions that the LLM has answered are counted, if it
    has answered any.
    """
    figure, axes, behind = _canvas(title, "threshold τ", RIGHT, "routed (%)")
    answered = [o for o in outcomes if o.llm_correct is not None]
    counted = answered or list(outcomes)
    routed = [_percent(sum(o.uncertainty > t for o in counted), len(counted)) for t in TENTHS]
    behind.bar(TENTHS, [share or 0.0 for share in routed], 0.08, color=BARS)
    if (local := _right(counted)) is not None:
        axes.axhline(local, color=LOCAL, linestyle="--", label="local model alone")
    if answered:
        fused = [_fused(answered, t) for t in TENTHS]
        _points(axes, TENTHS, fused, FUSED, "local model and LLM")
    _threshold(axes, tau)
    return _svg(figure, axes)


def comparison(outcomes: Sequence[HeldOut], tau: float, title: str = "") -> str:
    """Fig. 7: local model alone, and with the LLM above τ, at each uncertainty.

    Raises `ValueError` where the LLM has answered nothing.
    """
    answered = [o for o in outcomes if o.llm_correct is not None]
    if not answered:
        raise ValueError("without answers of an LLM there is nothing to compare")
    figure, axes, behind = _canvas(title, UNCERTAINTY, RIGHT, "answered spans")
    intervals = _by_tenth(answered)
    behind.bar(_middles(TENTHS), [len(inside) for inside in intervals], 0.09, color=BARS)
    _curve(axes, TENTHS, [_right(inside) for inside in intervals], LOCAL, "local model")
    fused = [_fused(inside, tau) for inside in intervals]
    _curve(axes, TENTHS, fused, FUSED, "local model and LLM")
    _threshold(axes, tau)
    return _svg(figure, axes)


def _by_tenth(outcomes: Iterable[HeldOut]) -> list[list[HeldOut]]:
    """The spans with low < u ≤ high for each tenth; u = 0 is in the first."""
    out: list[list[HeldOut]] = [[] for _ in TENTHS[1:]]
    for outcome in outcomes:
        out[max(bisect_left(TENTHS, outcome.uncertainty) - 1, 0)].append(outcome)
    return out


def _right(outcomes: Sequence[HeldOut]) -> float | None:
    return _percent(sum(o.local_correct for o in outcomes), len(outcomes))


def _fused(answered: Sequence[HeldOut], tau: float) -> float | None:
    """Of spans that the LLM has answered: right where it decides all with u > `tau`."""
    right = sum(o.llm_correct is True if o.uncertainty > tau else o.local_correct for o in answered)
    return _percent(right, len(answered))


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _middles(edges: Sequence[float]) -> list[float]:
    return [(low + high) / 2 for low, high in pairwise(edges)]


def _canvas(title: str, x: str, y: str, bars: str) -> tuple[Figure, Axes, Axes]:
    """A figure with axes for curves (0 to 100 on the left) before axes for bars (on the right)."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (a worker that tags draws nothing)

    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.subplots()
    behind = axes.twinx()
    axes.set(title=title, xlabel=x, ylabel=y, xlim=(-0.05, 1.05), ylim=(0, 103), xticks=TENTHS)
    behind.set_ylabel(bars, color=TAU)
    behind.tick_params(colors=TAU)
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    for both in (axes, behind):
        both.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e8e8e8")
    return figure, axes, behind


def _curve(
    axes: Axes, edges: Sequence[float], values: Sequence[float | None], color: str, label: str
) -> None:
    """A value for each interval between `edges`, None where there is nothing in it."""
    _points(axes, _middles(edges), values, color, label)


def _points(
    axes: Axes, at: Sequence[float], values: Sequence[float | None], color: str, label: str
) -> None:
    known = [(x, value) for x, value in zip(at, values, strict=True) if value is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "o-", color=color, label=label)


def _threshold(axes: Axes, tau: float) -> None:
    axes.axvline(tau, color=TAU, linestyle=":", label=f"τ = {tau:.2g}")


def _svg(figure: Figure, axes: Axes) -> str:
    from matplotlib import rc_context  # noqa: PLC0415

    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    out = io.StringIO()
    # The salt makes ids the same each time; text stays text, to be read, searched and restyled.
    with rc_context({"svg.hashsalt": "figure", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()

"""Figures as marks for `chart.html`: scales, ticks and paths, which know nothing of the database.

A chart has no size of its own. Across, everything is a percentage of the width that the page
gives it, so that bars and lines stretch with the page while its words keep their size; colours
are classes that `app.css` gives their look in light, dark and forced colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TICKS = 5
HEIGHT = 200
"""Of a chart with two axes, in pixels."""
ROW, ROW_TOP, ROW_BAR = 48, 24, 12
"""Of a chart with a row for each name: a row, what its words take of it, and its bar."""


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, which differ, as 0 to 100."""

    low: float
    high: float

    @classmethod
    def over(cls, ticks: Sequence[float]) -> Scale:
        return cls(ticks[0], ticks[-1])

    def at(self, value: float) -> float:
        """Where `value` lies; what is beyond an end is drawn at that end."""
        along = 100 * (value - self.low) / (self.high - self.low)
        return round(min(100.0, max(0.0, along)), 2)

    def up(self, value: float) -> float:
        """The same, counted from the upper end, as y is."""
        return round(100 - self.at(value), 2)


def ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Round values from at most `low` to at least `high`, about `TICKS` steps apart; at least two.

    `whole`: no fractions, for what is counted.
    """
    # Where all values are one, a unit is as good as any.
    wanted = max((high - low) / TICKS or 1.0, 1.0 if whole else 0.0)
    scale = 10.0 ** math.floor(math.log10(wanted))
    step = next(scale * n for n in (1, 2, 5, 10) if scale * n >= wanted * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [round(n * step, 10) for n in range(first, last + 1)]


@dataclass(frozen=True)
class Tick:
    at: str
    text: str


@dataclass(frozen=True)
class Bar:
    """A rectangle; `kind` is its class and `said` what a pointer over it is told."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    said: str = ""


@dataclass(frozen=True)
class Path:
    """A line, or with `filled` the area below it, through points of 0 to 100 either way."""

    points: str
    kind: str
    filled: bool = False


@dataclass(frozen=True)
class Stroke:
    """A straight line: the bounds of a value, or one that values are compared with."""

    x1: str
    y1: str
    x2: str
    y2: str
    kind: str


@dataclass(frozen=True)
class Dot:
    x: str
    y: str
    kind: str
    said: str = ""


@dataclass(frozen=True)
class Rule:
    """An upright line with its name; `ends`: the name stands before it."""

    at: str
    text: str
    ends: bool = False


@dataclass(frozen=True)
class Row:
    """The words above a row's bar: what it is of, and how much."""

    y: str
    name: str
    value: str


@dataclass(frozen=True)
class Chart:
    """`name` is read out in place of the drawing."""

    name: str
    height: int = HEIGHT
    kind: str = "axes"
    bars: Sequence[Bar] = ()
    paths: Sequence[Path] = ()
    strokes: Sequence[Stroke] = ()
    dots: Sequence[Dot] = ()
    rules: Sequence[Rule] = ()
    rows: Sequence[Row] = ()
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()
    x_name: str = ""
    y_name: str = ""


def percent(value: float) -> str:
    return f"{round(value, 2):g}%"


def points(along: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in along)


def line(pairs: Sequence[tuple[float, float]], x: Scale, y: Scale, kind: str) -> Path:
    return Path(points((x.at(a), y.up(b)) for a, b in pairs), kind)


def area(pairs: Sequence[tuple[float, float]], x: Scale, y: Scale, kind: str) -> Path:
    """What lies between the line and the lower end."""
    if not pairs:
        return Path("", kind, filled=True)
    top = [(x.at(a), y.up(b)) for a, b in pairs]
    return Path(points([(top[0][0], 100), *top, (top[-1][0], 100)]), kind, filled=True)


def column(low: float, high: float, base: float, top: float, *, x: Scale, y: Scale) -> Bar:
    """A bar from `base` up to `top` between `low` and `high`, with a little air on both sides."""
    left, width = x.at(low), x.at(high) - x.at(low)
    return Bar(
        percent(left + width * 0.06),
        percent(y.up(top)),
        percent(width * 0.88),
        percent(y.up(base) - y.up(top)),
        "",
    )


def lying(row: int, start: float, end: float, x: Scale, kind: str) -> Bar:
    """The part from `start` to `end` of the bar of row number `row`."""
    left = x.at(min(start, end))
    return Bar(
        percent(left),
        str(row * ROW + ROW_TOP),
        percent(x.at(max(start, end)) - left),
        str(ROW_BAR),
        kind,
    )


def dot(row: int, value: float, x: Scale) -> Dot:
    """On the bar of row number `row`."""
    return Dot(percent(x.at(value)), str(row * ROW + ROW_TOP + ROW_BAR // 2), "ink")


def row(number: int, name: str, value: str) -> Row:
    return Row(str(number * ROW + ROW_TOP - 7), name, value)


def rule(value: float, text: str, x: Scale) -> Rule:
    at = x.at(value)
    return Rule(percent(at), text, ends=at > 60)

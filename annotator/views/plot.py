"""The figure of what each route finds and costs, as coordinates for an SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from annotator.frontier import Choice, Choices

from .charts import ticks
from .written import short

WIDTH, HEIGHT = 560, 280
LEFT, RIGHT, TOP, BOTTOM = 46, 24, 16, 46
INSET = 16
"""Before the first marker, which would otherwise stand on the axis."""


@dataclass(frozen=True)
class Tick:
    at: int
    text: str


@dataclass(frozen=True)
class Marker:
    x: int
    y: int
    choice: Choice


@dataclass(frozen=True)
class Plot:
    """F1 by what 1,000 documents cost, or, where nothing has a price, by their tokens."""

    markers: list[Marker]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    in_money: bool
    path: str
    """Through the routes from the cheapest on that find more than any cheaper one."""

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    middle = (LEFT + WIDTH - RIGHT) // 2

    @classmethod
    def of(cls, choices: Choices) -> Plot:
        in_money = any(row.cost.micros for row in choices.rows)

        def cost(row: Choice) -> float:
            return float(row.cost.amount) if in_money else row.cost.tokens

        scores = [row.point.scores.f1 for row in choices.rows]
        across = ticks(0, max(map(cost, choices.rows)))
        up = ticks(min(scores), max(scores))
        markers = [
            Marker(_x(cost(row), across), _y(row.point.scores.f1, up), row) for row in choices.rows
        ]
        return cls(
            markers,
            [Tick(_x(value, across), short(value)) for value in across],
            [Tick(_y(value, up), short(value)) for value in up],
            in_money,
            " ".join(f"{m.x},{m.y}" for m in _best(markers)),
        )


def _best(markers: list[Marker]) -> Iterator[Marker]:
    top = HEIGHT
    for marker in sorted(markers, key=lambda m: (m.x, m.y)):
        if marker.y < top:
            top = marker.y
            yield marker


def _x(value: float, ticks: list[float]) -> int:
    return round(LEFT + INSET + (WIDTH - LEFT - INSET - RIGHT) * _along(value, ticks))


def _y(value: float, ticks: list[float]) -> int:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _along(value, ticks))


def _along(value: float, ticks: list[float]) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])

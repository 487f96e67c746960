"""A figure of the progress page: what it says in a sentence, its drawing, and the table behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from . import written
from .charts import Chart


@dataclass(frozen=True)
class Cell:
    """As people read it, and, where that differs, as a spreadsheet does."""

    text: str
    value: str = ""


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its heading."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()


@dataclass(frozen=True)
class Figure:
    """Without `charts` there is nothing to draw yet, and `said` says why."""

    key: str
    title: str
    said: str
    charts: Sequence[Chart] = ()
    legend: Sequence[tuple[str, str]] = ()
    """The kind of a mark, and what it means."""
    note: str = ""
    table: Table = field(default_factory=Table)
    wide: bool = False
    url: str = ""
    leads_to: str = ""
    """Where there is more about it, and how that is called."""


@dataclass(frozen=True)
class Part:
    """Figures that belong together."""

    heading: str
    figures: Sequence[Figure]

    @property
    def drawn(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.charts]

    @property
    def pending(self) -> list[Figure]:
        return [figure for figure in self.figures if not figure.charts]


def words(text: str) -> Cell:
    return Cell(text)


def counted(number: int) -> Cell:
    return Cell(written.count(number), str(number))


def decimal(number: float | None, places: int = 2) -> Cell:
    if number is None:
        return Cell("–")
    return Cell(written.decimal(number, places), f"{number:.{places + 2}f}")


def part(share: float | None) -> Cell:
    return Cell("–") if share is None else Cell(written.share(share), f"{share:.4f}")

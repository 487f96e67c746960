"""What any bench says: rows of `bench.json`, and tables in Markdown. Needs no library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

NONE = "–"
"""A cell without a value."""


class Better(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Figure:
    """One measured value; its `id` stays the same from run to run."""

    id: str
    value: float
    unit: str
    better: Better


def write(figures: Iterable[Figure], path: Path) -> None:
    _dump([asdict(figure) for figure in figures], path)


def append(figures: Iterable[Figure], path: Path, prefix: str) -> None:
    """Adds `figures` to those in `path`, in the place of all whose ids begin with `prefix`. Raises
    `ValueError` where the file holds no rows."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    if not isinstance(kept, list) or not all(isinstance(row, dict) and "id" in row for row in kept):
        raise ValueError(f"{path}: not a list of figures. Give another file: --out FILE")
    kept = [row for row in kept if not str(row["id"]).startswith(prefix)]
    _dump([*kept, *(asdict(figure) for figure in figures)], path)


def _dump(rows: list[dict[str, object]], path: Path) -> None:
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns line up; the first is flush left, the others flush right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    shown = [
        " | ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])])
        for cells in (lines[0], rule, *lines[1:])
    ]
    return "\n".join(f"| {line} |" for line in shown)

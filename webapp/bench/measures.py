"""What is measured: its name in `bench.json`, what it is to reach, and what other tools were found
to need; how it is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlworker.bench.rows import NONE, Better, Figure, markdown

PREFIX = "workbench."
PEERS = ("Label Studio", "doccano", "Potato")
PEERS_NOTE = (
    "The other tools were measured on 20 Nov 2026 (Label Studio 1.23.2, doccano 1.8.4, Potato "
    "2.12.1), on another machine of this kind with busier cores: ratios count, not milliseconds."
)

Found = Mapping[str, float]
"""Values by the ids of `MEASURES`."""
Theirs = tuple[float | None, float | None, float | None]
UNKNOWN: Theirs = (None, None, None)


@dataclass(frozen=True)
class Measure:
    """`aim` is the most (or, where higher is better, the least) that is good enough; `peers` are
    the values of `PEERS`."""

    id: str
    title: str
    unit: str
    aim: float | None = None
    peers: Theirs = UNKNOWN
    better: Better = Better.LOWER


MEASURES = (
    Measure("cold.bytes", "cold page, on the wire", "KB", 100, (7990, 790, 1520)),
    Measure("cold.requests", "cold page, requests", "", 8, (34, 24, 35)),
    Measure("cold.painted", "cold page, to painted spans", "s", 0.4, (2.3, 1.9, 0.5)),
    Measure("open.alone.p50", "open next, alone, p50", "ms", 15, (200, 32, 72)),
    Measure("open.alone.p95", "open next, alone, p95", "ms", None, (220, 47, 136)),
    Measure("open.eight.p50", "open next, 8 annotators, p50", "ms", None, (868, 221, 363)),
    Measure("open.eight.p95", "open next, 8 annotators, p95", "ms", 100, (3416, 339, 552)),
    Measure("decision.alone.p50", "decision, alone, p50", "ms", 12),
    Measure("decision.alone.p95", "decision, alone, p95", "ms"),
    Measure("decision.eight.p50", "decision, 8 annotators, p50", "ms"),
    Measure("decision.eight.p95", "decision, 8 annotators, p95", "ms"),
    Measure("submit.alone.p50", "submit, alone, p50", "ms", 12, (312, 27, 19)),
    Measure("submit.alone.p95", "submit, alone, p95", "ms", None, (344, 34, 28)),
    Measure("submit.eight.p50", "submit, 8 annotators, p50", "ms", None, (916, 70, 79)),
    Measure("submit.eight.p95", "submit, 8 annotators, p95", "ms", None, (1728, 116, 170)),
    Measure("pairs", "open+submit, 8 annotators", "pairs/s", 100, (3.5, 26, 17), Better.HIGHER),
    Measure("cpu", "server CPU of open+submit", "ms", None, (105, 27, 55)),
    # One each, and at times two more: SQLite writes its log back into the file.
    Measure("fsyncs", "fsyncs of a decision", "", 1.1, (36, None, None)),
    Measure("duplicates", "the same document twice, of 200", "", 0, (150, None, None)),
    Measure("job.gestures", "five-step job, gestures", "", 6, (7, 7, None)),
    Measure("words.painted", "20,000 words, 2,000 mentions: painted", "s", 0.6),
    Measure("words.key.p50", "… key to paint, p50", "ms"),
    Measure("words.key.worst", "… key to paint, worst of 40", "ms", 50),
    Measure("bytes.painted", "200 KB, 1,171 mentions: painted", "s", 0.6, (8.0, 1.9, 1.0)),
    Measure("bytes.key.p50", "… key to paint, p50", "ms"),
    Measure("bytes.key.worst", "… key to paint, worst of 40", "ms", 50),
)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that is not below `percent` of them (nearest rank)."""
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def in_milliseconds(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """`name.p50` and `name.p95`."""
    return {f"{name}.p{p}": 1000 * percentile(seconds, p) for p in (50, 95)}


def figures(found: Found, prefix: str = PREFIX) -> Iterator[Figure]:
    for measure in MEASURES:
        if measure.id in found:
            value = round(found[measure.id], 4)
            yield Figure(prefix + measure.id, value, measure.unit, measure.better)


def table(found: Found) -> str:
    """What was found beside what is to be reached and what the other tools need."""
    measured = [measure for measure in MEASURES if measure.id in found]
    rows = [
        (_title(measure), _shown(found[measure.id]), _aim(measure), *map(_shown, measure.peers))
        for measure in measured
    ]
    return markdown(("review page", "Spanlight", "aim", *PEERS), rows)


def missed(found: Found) -> list[str]:
    """The titles of what does not reach its aim."""
    return [m.title for m in MEASURES if m.id in found and not _reaches(m, found[m.id])]


def _reaches(measure: Measure, value: float) -> bool:
    if measure.aim is None:
        return True
    return value >= measure.aim if measure.better == Better.HIGHER else value <= measure.aim


def _title(measure: Measure) -> str:
    return f"{measure.title} ({measure.unit})" if measure.unit else measure.title


def _aim(measure: Measure) -> str:
    if measure.aim is None:
        return NONE
    return f"{'≥' if measure.better == Better.HIGHER else '≤'} {_shown(measure.aim)}"


def _shown(value: float | None) -> str:
    """Three digits that count, more where the number is whole and large."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

"""The figure of how often people decide what was said before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.agreement import ENOUGH, Agreement
from annotator.bought import Share

from . import charts, written
from .charts import Chart, Scale
from .figure import Cell, Figure, Table, counted, part, words

WHOLE = Scale(0, 1)
NOTE = (
    "Spans that people decided one by one, against what the model predicted and the LLM answered "
    "there; what people added counts for neither. An earlier person: their decisions in documents "
    "that somebody else submitted later, and how many of them were kept. Whoever decides sees what "
    "stands there, which flatters all three. Not corrected for chance."
)


@dataclass(frozen=True)
class Source:
    """Whom people agreed with, or not; `confirmed`: on submit, where that says anything."""

    name: str
    own: Share
    confirmed: Share | None = None

    @property
    def is_known(self) -> bool:
        return self.own.n >= ENOUGH

    @property
    def share(self) -> float:
        return self.own.value or 0.0


def agreement(local: Agreement, llm: Agreement, earlier: Share) -> Figure:
    sources = [
        Source("the local model", local.own, local.confirmed),
        Source("the LLM", llm.own, llm.confirmed),
        Source("an earlier person", earlier),
    ]
    known = [source for source in sources if source.is_known]
    said = _said(sources)
    return Figure(
        "agreement",
        "Agreement",
        said,
        charts=[_chart(known, said)] if known else [],
        legend=[("dot", "share that agreed"), ("soft", "95% interval")],
        note=NOTE,
        table=_table(sources),
    )


def _said(sources: Sequence[Source]) -> str:
    known = [f"{written.share(s.share)} with {s.name}" for s in sources if s.is_known]
    lacking = [f"with {s.name}" for s in sources if not s.is_known]
    if not known:
        return f"Not enough decisions yet: at least {ENOUGH} are needed for each."
    said = f"People agreed {', '.join(known)}."
    if lacking:
        said += f" Too few decisions, under {ENOUGH}, to say how often {' or '.join(lacking)}."
    return said


def _chart(known: Sequence[Source], said: str) -> Chart:
    tracks = [charts.lying(n, 0, 1, WHOLE, "track") for n in range(len(known))]
    bounds = [charts.lying(n, s.own.low, s.own.high, WHOLE, "soft") for n, s in enumerate(known)]
    return Chart(
        f"How often people decided the same. {said}",
        height=charts.ROW * len(known),
        kind="rows",
        bars=[*tracks, *bounds],
        dots=[charts.dot(n, source.share, WHOLE) for n, source in enumerate(known)],
        rows=[
            charts.row(n, f"With {s.name}", f"{written.share(s.share)} of {written.count(s.own.n)}")
            for n, s in enumerate(known)
        ],
    )


def _table(sources: Sequence[Source]) -> Table:
    columns = ["With", "Decisions", "Same", "at least", "at most", "Confirmed on submit", "Same"]
    return Table(columns, [_row(source) for source in sources])


def _row(source: Source) -> list[Cell]:
    own, confirmed = source.own, source.confirmed
    shares: list[float | None] = [own.value, own.low, own.high] if source.is_known else [None] * 3
    weak = [counted(confirmed.n), part(confirmed.value)] if confirmed else [words("–")] * 2
    return [words(source.name), counted(own.n), *map(part, shares), *weak]

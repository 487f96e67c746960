"""The figures of the local model: how sure it is, whether rightly, and what τ keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from annotator import reliability
from annotator.bought import Share
from annotator.models import Project, Threshold
from annotator.reliability import Doubt, Kept, Outcome, Tenth

from . import charts, written
from .charts import Bar, Chart, Dot, Scale, Stroke
from .figure import Cell, Figure, Table, counted, decimal, part
from .figures_of_work import y_ticks

CURVE = 120
"""At how many places at most a curve is drawn."""
WHOLE = Scale(0, 1)
NO_MODEL = "There is no model yet: it comes with the first training."


def too_few(found: int) -> str:
    return (
        f"Not enough checked spans yet: {written.count(found)} of at least "
        f"{reliability.ENOUGH}. Of the documents that people review, about one in five is held "
        "out to check the model by."
    )


def uncertainty(project: Project, doubts: Sequence[Doubt], threshold: Threshold | None) -> Figure:
    title = "How unsure the model is"
    total, routed = sum(d.count for d in doubts), sum(d.routed for d in doubts)
    if threshold is None or not total:
        said = NO_MODEL if threshold is None else "The serving version has read nothing yet."
        return Figure("uncertainty", title, said, wide=True)
    up = charts.ticks(0, max(doubt.count for doubt in doubts), whole=True)
    y = Scale.over(up)
    chart = _unit_chart(
        f"Spans by uncertainty. {written.count(routed)} of {written.count(total)} lie above τ.",
        across=f"uncertainty u, by {project.get_method_display()}",
    )
    return Figure(
        "uncertainty",
        title,
        f"{written.count(routed)} of {written.plural(total, 'predicted span')} "
        f"({written.share(routed / total)}) are above τ and are routed.",
        charts=[
            replace(
                chart,
                bars=[bar for doubt in doubts for bar in _doubt_bars(doubt, y)],
                rules=[_tau(threshold)],
                y_ticks=y_ticks(up, y),
                y_name="Spans",
            )
        ],
        legend=[("soft", "at or below τ"), ("lamp", "above τ: to the LLM or to people")],
        note="Mentions that the serving version predicts. Candidates, which are always routed, "
        "are not among them.",
        wide=True,
        table=Table(
            ["Uncertainty", "Spans", "Above τ"],
            [[_between(d.low, d.high), counted(d.count), counted(d.routed)] for d in doubts],
        ),
    )


def _doubt_bars(doubt: Doubt, y: Scale) -> list[Bar]:
    """What is routed stands on what is not."""
    below = doubt.count - doubt.routed
    said = (
        f"{written.decimal(doubt.low, 2)} to {written.decimal(doubt.high, 2)}: "
        f"{written.plural(doubt.count, 'span')}, {written.count(doubt.routed)} above τ"
    )
    pieces = [(0, below, "soft"), (below, doubt.count, "lamp")]
    return [
        replace(charts.column(doubt.low, doubt.high, low, high, x=WHOLE, y=y), kind=kind, said=said)
        for low, high, kind in pieces
        if high > low
    ]


def _tau(threshold: Threshold) -> charts.Rule:
    return charts.rule(threshold.tau, f"τ = {written.decimal(threshold.tau, 2)}", WHOLE)


def _share_ticks(up: Sequence[float], y: Scale) -> list[charts.Tick]:
    return [charts.Tick(charts.percent(y.up(value)), written.share(value)) for value in up]


def _unit_chart(name: str, *, across: str, in_percent: bool = False) -> Chart:
    """From 0 to 1 across."""
    ticks, write = charts.ticks(0, 1), written.share if in_percent else written.short
    return Chart(
        name,
        x_name=across,
        x_ticks=[charts.Tick(charts.percent(WHOLE.at(at)), write(at)) for at in ticks],
    )


def _between(low: float, high: float) -> Cell:
    text = f"{written.decimal(low, 2)}–{written.decimal(high, 2)}"
    return Cell(text, f"{low:.2f}-{high:.2f}")


def calibration(tenths: Sequence[Tenth], found: int, threshold: Threshold | None) -> Figure:
    """The reliability diagram."""
    title = "Is it right as often as it is sure?"
    if threshold is None or found < reliability.ENOUGH:
        return Figure("calibration", title, NO_MODEL if threshold is None else too_few(found))
    error = reliability.calibration_error(tenths)
    said = f"ECE {written.decimal(error, 3)} on {written.plural(found, 'checked span')}: "
    said += f"confidence and accuracy are {written.decimal(100 * error)} points apart on average."
    chart = _unit_chart(
        f"Accuracy by confidence. {said}", across="confidence in the label", in_percent=True
    )
    chart = replace(
        chart,
        strokes=[Stroke("0%", "100%", "100%", "0%", "ideal"), *map(_right_bounds, tenths)],
        dots=[_right_dot(tenth) for tenth in tenths],
        y_ticks=_share_ticks(charts.ticks(0, 1), WHOLE),
        y_name="Right",
    )
    return Figure(
        "calibration",
        title,
        said,
        charts=[chart],
        legend=[("dot", "spans in a tenth, 95% interval"), ("ideal", "as sure as right")],
        note="Predicted mentions of held-out gold, which no version learned from. Below the "
        "dashed line the model is surer than it should be.",
        table=_tenths_table(tenths),
    )


def _tenths_table(tenths: Sequence[Tenth]) -> Table:
    rows = [
        [
            _between(t.low, t.high),
            counted(t.right.n),
            decimal(t.confidence, 3),
            part(t.right.value),
            part(t.right.low),
            part(t.right.high),
        ]
        for t in tenths
    ]
    return Table(["Confidence", "Spans", "Mean confidence", "Right", "at least", "at most"], rows)


def _right_dot(tenth: Tenth) -> Dot:
    right = _value(tenth.right)
    said = (
        f"{written.plural(tenth.right.n, 'span')}: {written.share(tenth.confidence)} sure, "
        f"{written.share(right)} right"
    )
    x, y = WHOLE.at(tenth.confidence), WHOLE.up(right)
    return Dot(charts.percent(x), charts.percent(y), "ink", said)


def _value(share: Share) -> float:
    return share.value or 0.0


def _right_bounds(tenth: Tenth) -> Stroke:
    x = charts.percent(WHOLE.at(tenth.confidence))
    low, high = WHOLE.up(tenth.right.low), WHOLE.up(tenth.right.high)
    return Stroke(x, charts.percent(low), x, charts.percent(high), "bounds")


def risk(found: Sequence[Outcome], threshold: Threshold | None) -> Figure:
    """The risk–coverage curve."""
    title = "What τ keeps, and how much of it is wrong"
    if threshold is None or len(found) < reliability.ENOUGH:
        return Figure("risk", title, NO_MODEL if threshold is None else too_few(len(found)))
    curve = reliability.risk_coverage(found)
    at_tau = reliability.kept_at(curve, threshold.tau)
    said = f"With every span kept {written.share(curve[-1].risk)} are wrong."
    if at_tau is not None:
        said = (
            f"At τ the model keeps {written.share(at_tau.coverage)} of "
            f"{written.plural(at_tau.total, 'checked span')}, of which "
            f"{written.share(at_tau.risk)} are wrong; of all, {written.share(curve[-1].risk)} are."
        )
    return Figure(
        "risk",
        title,
        said,
        charts=[_risk_chart(curve, at_tau, said)],
        note="Predicted mentions of held-out gold. A lower τ keeps fewer spans and fewer errors.",
        table=_risk_table(curve, at_tau),
    )


def _risk_chart(curve: Sequence[Kept], at_tau: Kept | None, said: str) -> Chart:
    up = charts.ticks(0, max(point.risk for point in curve))
    y = Scale.over(up)
    pairs = [(point.coverage, point.risk) for point in reliability.thinned(curve, CURVE)]
    chart = _unit_chart(
        f"Risk by coverage. {said}",
        across="coverage: share kept, the surest first",
        in_percent=True,
    )
    return replace(
        chart,
        paths=[charts.area(pairs, WHOLE, y, "wash-ink"), charts.line(pairs, WHOLE, y, "ink")],
        dots=[_at_tau(at_tau, y)] if at_tau else [],
        rules=[charts.rule(at_tau.coverage, "τ", WHOLE)] if at_tau else [],
        y_ticks=_share_ticks(up, y),
        y_name="Wrong among those kept",
    )


def _at_tau(point: Kept, y: Scale) -> Dot:
    x = charts.percent(WHOLE.at(point.coverage))
    return Dot(x, charts.percent(y.up(point.risk)), "lamp")


def _risk_table(curve: Sequence[Kept], at_tau: Kept | None) -> Table:
    """The first points that keep each tenth of the spans, and τ's."""
    tenths = [next(p for p in curve if p.coverage >= n / 10 - 1e-9) for n in range(1, 11)]
    chosen = {point.tau: point for point in [*tenths, *([at_tau] if at_tau else [])]}
    rows = [
        [
            Cell(written.decimal(p.tau, 3) + (" (τ)" if p == at_tau else ""), f"{p.tau:.4f}"),
            counted(p.kept),
            part(p.coverage),
            counted(p.wrong),
            part(p.risk),
        ]
        for _, p in sorted(chosen.items())
    ]
    return Table(["Uncertainty up to", "Kept", "Coverage", "Wrong", "Risk"], rows)

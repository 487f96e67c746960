"""The figures of the LLM: what it took by month, and what its answers bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from annotator.bought import Bought
from annotator.checked import Row
from annotator.statement import Month, Taken

from . import charts, written
from .charts import Chart, Scale
from .figure import Cell, Figure, Table, counted, decimal, part, words
from .figures_of_work import y_ticks

FEWEST, MOST = 6, 24
"""How many months are drawn."""


def spending(months: Sequence[Month], currency: str, url: str) -> Figure:
    """`months`: the newest first. In money where any was spent, else in tokens or in items."""
    title = "What asking the LLM took"
    total = sum((month.taken for month in months), Taken())
    if not total.requests:
        return Figure("spending", title, "The LLM was not asked yet.")
    unit, amounts = _amounts(months, currency)
    drawn = _without_gaps(list(amounts))
    in_money = unit == currency
    up = charts.ticks(0, max(amounts.values()), whole=not in_money)
    x, y = Scale(0, len(drawn)), Scale.over(up)
    said = _taken(total, sum(float(month.spending.amount) for month in months), currency)
    bars = [
        replace(
            charts.column(n, n + 1, 0, amounts[first], x=x, y=y),
            kind="ink",
            said=f"{written.month(first)}: {_amount(amounts[first], in_money)} {unit}",
        )
        for n, first in enumerate(drawn)
        if amounts.get(first)
    ]
    return Figure(
        "spending",
        title,
        said,
        charts=[
            Chart(
                f"{_first_upper(unit)} by month. {said}",
                bars=bars,
                x_ticks=_month_ticks(drawn, x),
                y_ticks=y_ticks(up, y),
                y_name=_first_upper(unit),
            )
        ],
        note="Requests under way count with the most that they may cost.",
        table=_months_table(months, currency),
        url=url,
        leads_to="Every request, and whether another way would pay.",
    )


def _taken(total: Taken, spent: float, currency: str) -> str:
    cost = f" and cost {written.decimal(spent, 2)} {currency}" if spent else ""
    return (
        f"{written.plural(total.requests, 'request')} with {written.count(total.items)} questions "
        f"and sentences took {written.count(total.tokens)} tokens{cost}."
    )


def _amounts(months: Sequence[Month], currency: str) -> tuple[str, dict[date, float]]:
    money = {month.first: float(month.spending.amount) for month in months}
    tokens = {month.first: float(month.taken.tokens) for month in months}
    items = {month.first: float(month.taken.items) for month in months}
    if any(money.values()):
        return currency, money
    return ("tokens", tokens) if any(tokens.values()) else ("questions and sentences", items)


def _amount(amount: float, in_money: bool) -> str:
    return written.decimal(amount, 2) if in_money else written.count(round(amount))


def _first_upper(unit: str) -> str:
    return unit[:1].upper() + unit[1:]


def _without_gaps(known: Sequence[date]) -> list[date]:
    """Every month from the first of `known` to the last, in order, `FEWEST` to `MOST` of them."""
    last, first = max(known), min(known)
    out = [last]
    while len(out) < MOST and (len(out) < FEWEST or out[-1] > first):
        before = out[-1]
        out.append(date(before.year - (before.month == 1), (before.month - 2) % 12 + 1, 1))
    return out[::-1]


def _month_ticks(drawn: Sequence[date], x: Scale) -> list[charts.Tick]:
    step = -(-len(drawn) // FEWEST)
    return [
        charts.Tick(charts.percent(x.at(n + 0.5)), written.short_month(first))
        for n, first in enumerate(drawn)
        if (len(drawn) - 1 - n) % step == 0
    ]


def _months_table(months: Sequence[Month], currency: str) -> Table:
    columns = ["Month", "Requests", "Questions and sentences", "Tokens", currency]
    rows = [
        [
            Cell(written.month(month.first), f"{month.first:%Y-%m}"),
            counted(month.taken.requests),
            counted(month.taken.items),
            counted(month.taken.tokens),
            decimal(float(month.spending.amount), 2),
        ]
        for month in months
    ]
    return Table(columns, rows)


def value(rows: Sequence[Row], currency: str, url: str) -> Figure:
    """What the questions bought, by what the local model said."""
    title = "What its answers bought"
    total = sum((row.bought for row in rows), Bought())
    if not total.asked:
        said = "Not known yet: no span that the LLM was asked about was checked by people."
        return Figure("value", title, said)
    known = [row for row in rows if row.bought.asked]
    said = (
        f"On {written.plural(total.asked, 'checked span')} the LLM put "
        f"{written.plural(total.gained, 'label')} right and {written.count(total.lost)} wrong"
    )
    said += f", for {written.decimal(float(total.amount), 2)} {currency}." if total.micros else "."
    return Figure(
        "value",
        title,
        said,
        charts=[_value_chart(known, said)],
        legend=[("wrong", "only the local model was right"), ("right", "only the LLM was right")],
        note="By what the local model said of spans that are routed and checked.",
        table=_value_table(known, currency),
        url=url + "#bought-title",
        leads_to="With intervals, and what to do about it.",
    )


def _value_chart(known: Sequence[Row], said: str) -> Chart:
    """What was lost to the left, what was gained to the right."""
    most = max(1, *(max(row.bought.gained, row.bought.lost) for row in known))
    x, height = Scale(-most, most), charts.ROW * len(known)
    bars = [
        replace(charts.lying(n, 0, amount, x, kind), said=f"{written.count(abs(amount))} {kind}")
        for n, row in enumerate(known)
        for amount, kind in ((row.bought.gained, "right"), (-row.bought.lost, "wrong"))
        if amount
    ]
    return Chart(
        f"Labels put right and wrong. {said}",
        height=height,
        kind="rows",
        bars=bars,
        strokes=[charts.Stroke("50%", "0", "50%", str(height), "zero")],
        rows=[charts.row(n, _name(row), _signed(row.bought.net)) for n, row in enumerate(known)],
    )


def _signed(number: int) -> str:
    return f"{'+' if number > 0 else '−' if number else ''}{written.count(abs(number))}"


def _name(row: Row) -> str:
    return row.label.name if row.label else "no entity"


def _value_table(rows: Sequence[Row], currency: str) -> Table:
    columns = ["Local model said", "Asked", "Only LLM right", "Only local right", "Both right"]
    columns += ["Both wrong", "LLM right", "Local right", currency]
    return Table(
        columns,
        [
            [
                words(_name(row)),
                counted(b.asked),
                counted(b.gained),
                counted(b.lost),
                counted(b.both_right),
                counted(b.both_wrong),
                part(b.llm.value),
                part(b.local.value),
                decimal(float(b.amount), 4),
            ]
            for row in rows
            for b in [row.bought]
        ],
    )

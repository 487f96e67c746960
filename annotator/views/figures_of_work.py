"""The figures of what people did: progress, labels, how it was decided, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from annotator import history
from annotator.history import Day, Person, Share
from annotator.models import Label

from . import charts, written
from .charts import Chart, Scale
from .figure import Cell, Figure, Table, counted, decimal, part, words

DATES = 5
"""How many days at most are named below an axis."""
FEWEST_DAYS = 4
"""Of fewer a sparkline says nothing."""
LEGEND = [("ink", "decided one by one"), ("soft", "confirmed on submit")]
ACTIONS = {
    "accept": "Accepted",
    "relabel": "Relabelled",
    "resize": "Moved",
    "add": "Added",
    "reject": "Rejected",
}


def over_time(days: Sequence[Day], documents: int) -> Figure:
    title = "Day by day"
    if not days:
        return Figure("over-time", title, "Nothing is gold and nothing was decided yet.", wide=True)
    gold, own, confirmed = (
        list(accumulate(getattr(day, name) for day in days))
        for name in ("gold", "own", "confirmed")
    )
    last_week = sum(day.gold for day in days[-7:])
    decisions = [a + b for a, b in zip(own, confirmed, strict=True)]
    said = (
        f"{written.count(gold[-1])} of {written.plural(documents, 'document')} "
        f"{'is' if gold[-1] == 1 else 'are'} gold, {written.count(last_week)} of them "
        "in the last seven days."
    )
    x = Scale(0, len(days) - 1)
    return Figure(
        "over-time",
        title,
        said,
        charts=[
            _growth(name, days, series, x)
            for name, series in (
                ("Gold documents", [(gold, "ink")]),
                ("Decisions", [(decisions, "soft"), (own, "ink")]),
            )
            if series[0][0][-1]
        ],
        legend=LEGEND if decisions[-1] else (),
        note="Counted up day by day (UTC). What came in as gold counts from the day it came.",
        table=_days_table(days, gold, own, confirmed),
        wide=True,
    )


def _growth(
    name: str, days: Sequence[Day], series: Sequence[tuple[list[int], str]], x: Scale
) -> Chart:
    """Each of `series` is drawn over those before it, which are at least as high."""
    up = charts.ticks(0, max(counts[-1] for counts, _ in series), whole=True)
    y = Scale.over(up)
    paths = []
    for counts, kind in series:
        pairs = list(enumerate(map(float, counts)))
        paths += [charts.area(pairs, x, y, f"wash-{kind}"), charts.line(pairs, x, y, kind)]
    total = series[0][0][-1]
    return Chart(
        f"{name}: from 0 on {written.day(days[0].day)} to {written.count(total)} "
        f"on {written.day(days[-1].day)}.",
        paths=paths,
        x_ticks=[
            charts.Tick(charts.percent(x.at(n)), written.short_day(days[n].day))
            for n in _some(len(days))
        ],
        y_ticks=y_ticks(up, y),
        y_name=name,
    )


def sparkline(days: Sequence[Day]) -> Chart | None:
    """How gold grew, small; None where there is none, or it came in a few days."""
    gold = list(accumulate(day.gold for day in days))
    if len(gold) < FEWEST_DAYS or not gold[-1]:
        return None
    x, y = Scale(0, len(days) - 1), Scale(0, gold[-1])
    pairs = list(enumerate(map(float, gold)))
    since = written.day(days[0].day)
    return Chart(
        f"{written.plural(gold[-1], 'gold document')} since {since}: see the progress.",
        height=28,
        kind="spark",
        paths=[charts.area(pairs, x, y, "wash-ink"), charts.line(pairs, x, y, "ink")],
    )


def _some(n: int) -> list[int]:
    """At most `DATES` of the numbers below `n`, evenly apart, the last among them."""
    step = max(1, -(-(n - 1) // (DATES - 1)))
    return list(range(n - 1, -1, -step))[::-1]


def y_ticks(up: Sequence[float], y: Scale) -> list[charts.Tick]:
    return [charts.Tick(charts.percent(y.up(value)), written.short(value)) for value in up]


def _days_table(
    days: Sequence[Day], gold: list[int], own: list[int], confirmed: list[int]
) -> Table:
    """The days on which anything was done, the newest first."""
    rows: list[list[Cell]] = []
    for day, *so_far in zip(days, gold, own, confirmed, strict=True):
        each = (day.gold, day.own, day.confirmed)
        if any(each):
            pairs = zip(each, so_far, strict=True)
            cells = [counted(number) for pair in pairs for number in pair]
            rows.append([Cell(written.day(day.day), day.day.isoformat()), *cells])
    columns = ["Day", "Gold", "Gold so far", "One by one", "One by one so far"]
    columns += ["On submit", "On submit so far"]
    return Table(columns, rows[::-1])


def label_counts(labels: Sequence[Label]) -> Figure:
    """`labels` carry how many mentions are `accepted` and `suggested`."""
    counts = [(label, label.accepted, label.suggested) for label in labels]  # type: ignore[attr-defined]
    most = max((a + s for _, a, s in counts), default=0)
    title = "Labels"
    if not most:
        return Figure("labels", title, "There are no mentions yet.")
    x = Scale(0, most)
    bars = []
    for n, (label, accepted, suggested) in enumerate(counts):
        colour = f"label-{label.colour}"
        bars.append(charts.lying(n, 0, accepted, x, f"{colour} firm"))
        bars.append(charts.lying(n, accepted, accepted + suggested, x, f"{colour} faint"))
    top = max(counts, key=lambda row: row[1] + row[2])[0]
    accepted, suggested = sum(a for _, a, _ in counts), sum(s for _, _, s in counts)
    said = (
        f"{written.plural(accepted, 'mention')} accepted, {written.count(suggested)} suggested. "
        f"The most frequent is {top.name}."
    )
    chart = Chart(
        f"Mentions by label. {said}",
        height=charts.ROW * len(counts),
        kind="rows",
        bars=bars,
        rows=[
            charts.row(n, label.name, f"{written.count(a)} + {written.count(s)}")
            for n, (label, a, s) in enumerate(counts)
        ],
    )
    return Figure(
        "labels",
        title,
        said,
        charts=[chart],
        legend=[("firm", "accepted"), ("faint", "suggested")],
        table=Table(
            ["Label", "Accepted", "Suggested"],
            [[words(label.name), counted(a), counted(s)] for label, a, s in counts],
        ),
    )


def how_decided(share: Share) -> Figure:
    title = "One by one, or on submit"
    if not share.total:
        return Figure("how-decided", title, "Nobody has decided anything yet.")
    parts = [(ACTIONS[action], n, "ink") for action, n in share.by_action.items()]
    parts.append(("Confirmed on submit", share.confirmed, "soft"))
    x = Scale(0, max(n for _, n, _ in parts))
    return Figure(
        "how-decided",
        title,
        f"{written.share(share.own / share.total)} of {written.plural(share.total, 'decision')} "
        "were made one by one; the others left a span as it was shown.",
        charts=[
            Chart(
                "Decisions by what they were.",
                height=charts.ROW * len(parts),
                kind="rows",
                bars=[charts.lying(row, 0, n, x, kind) for row, (_, n, kind) in enumerate(parts)],
                rows=[
                    charts.row(row, name, written.count(n))
                    for row, (name, n, _) in enumerate(parts)
                ],
            )
        ],
        note="To leave a span as it is shown until the document is submitted is weaker evidence "
        "than to decide about it, so the two are never added up in figures of quality.",
        table=Table(
            ["Decision", "Count", "Share"],
            [[words(name), counted(n), part(n / share.total)] for name, n, _ in parts],
        ),
    )


def throughput(people: Sequence[Person]) -> Figure:
    title = "People"
    if not people:
        return Figure("people", title, "Nobody has decided anything yet.")
    minutes = sum(person.minutes for person in people)
    own, documents = sum(p.own for p in people), sum(p.documents for p in people)
    x = Scale(0, max(1e-9, *(person.decisions_per_minute for person in people)))
    chart = Chart(
        "Decisions in an active minute, by person.",
        height=charts.ROW * len(people),
        kind="rows",
        bars=[
            charts.lying(n, 0, person.decisions_per_minute, x, "ink")
            for n, person in enumerate(people)
        ],
        rows=[charts.row(n, person.name, _each_minute(person)) for n, person in enumerate(people)],
    )
    return Figure(
        "people",
        title,
        f"{written.plural(own, 'decision')} and {written.plural(documents, 'document')} "
        f"in {written.plural(minutes, 'active minute')}.",
        charts=[replace(chart, x_name="in an active minute; drawn: decisions")],
        note="By name: this is no contest, and documents differ. A break of more than "
        f"{history.IDLE_MINUTES} minutes between two decisions does not count as active.",
        table=_people_table(people),
    )


def _each_minute(person: Person) -> str:
    return (
        f"{written.decimal(person.decisions_per_minute)} decisions, "
        f"{written.decimal(person.documents_per_minute)} documents"
    )


def _people_table(people: Sequence[Person]) -> Table:
    columns = ["Person", "Days", "Active minutes", "Decisions", "Decisions a day"]
    columns += ["Decisions a minute", "Confirmed on submit", "Documents", "Documents a day"]
    columns.append("Documents a minute")
    rows = [
        [
            words(p.name),
            counted(p.days),
            counted(p.minutes),
            counted(p.own),
            decimal(p.own / p.days, 1),
            decimal(p.decisions_per_minute),
            counted(p.confirmed),
            counted(p.documents),
            decimal(p.documents / p.days, 1),
            decimal(p.documents_per_minute),
        ]
        for p in people
    ]
    return Table(columns, rows)

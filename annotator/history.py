"""What was done in a project, by day and by person: read from corrections and gold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from django.db.models import Count, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce, Substr

from .models import Correction, Document, Project, User

IDLE_MINUTES = 5
"""Whoever decides nothing for longer than this is taken to be away."""
Action, Evidence = Correction.Action, Correction.Evidence
DECIDING = [Action.ACCEPT, Action.RELABEL, Action.RESIZE, Action.ADD, Action.REJECT]
"""The actions that say what a span is."""


@dataclass(frozen=True)
class Work:
    """`count` corrections of one kind that one person made on one day (UTC)."""

    author: int
    day: date
    action: str
    evidence: str
    count: int

    @property
    def is_own(self) -> bool:
        """Decided one by one, not confirmed on submit."""
        return self.action in DECIDING and self.evidence == Evidence.DECISION

    @property
    def is_confirmed(self) -> bool:
        return self.action in DECIDING and self.evidence == Evidence.SUBMIT


def work(project: Project) -> list[Work]:
    """In one query, whose rows are few: days times people times kinds."""
    by_day = _corrections(project).annotate(day=_first_of("created_at", 10))
    rows = by_day.values_list("author", "day", "action", "evidence").annotate(n=Count("pk"))
    return [
        Work(author, date.fromisoformat(day), action, evidence, n)
        for author, day, action, evidence, n in rows
    ]


def minutes(project: Project) -> dict[int, list[int]]:
    """In which minutes each person (id) made any correction, counted from some moment on; in one
    query."""
    by_minute = _corrections(project).annotate(minute=_first_of("created_at", 16))
    out: dict[int, list[int]] = defaultdict(list)
    for author, minute in by_minute.values_list("author", "minute").distinct():
        at = datetime.fromisoformat(minute)
        out[author].append((at.toordinal() * 24 + at.hour) * 60 + at.minute)
    return out


def _corrections(project: Project) -> QuerySet[Correction]:
    found: QuerySet[Correction] = Correction.objects.standing().filter(document__project=project)
    return found.order_by()


def _first_of(field: str | Coalesce, characters: int) -> Substr:
    """A time written as `2026-11-14 12:30:05`, cut: databases group text faster than they cut
    times, and SQLite would call back into Python for each row."""
    return Substr(Cast(field, TextField()), 1, characters)


@dataclass(frozen=True)
class Day:
    """What was done on one day (UTC). `own`: decided one by one; `confirmed`: on submit."""

    day: date
    gold: int = 0
    own: int = 0
    confirmed: int = 0


def days(project: Project, done: Iterable[Work], until: date) -> list[Day]:
    """Each day from the one before anything was done up to `until`; empty where nothing was."""
    gold = _gold_by_day(project)
    own: Counter[date] = Counter()
    confirmed: Counter[date] = Counter()
    for some in done:
        own[some.day] += some.count * some.is_own
        confirmed[some.day] += some.count * some.is_confirmed
    known = {*gold, *own, *confirmed}
    if not known:
        return []
    first = min(known) - timedelta(days=1)
    last = max(until, *known)
    each = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [Day(day, gold[day], own[day], confirmed[day]) for day in each]


def _gold_by_day(project: Project) -> Counter[date]:
    """Today's gold, by when it was reviewed, or came in as gold."""
    became = Coalesce("reviewed_at", "created_at")
    gold = Document.objects.gold().filter(project=project).order_by()
    rows = gold.values_list(_first_of(became, 10)).annotate(n=Count("pk"))
    return Counter({date.fromisoformat(day): n for day, n in rows})


@dataclass(frozen=True)
class Share:
    """How what is decided was decided: one by one, by action, and on submit."""

    by_action: dict[str, int]
    confirmed: int

    @property
    def own(self) -> int:
        return sum(self.by_action.values())

    @property
    def total(self) -> int:
        return self.own + self.confirmed


def share(done: Iterable[Work]) -> Share:
    by_action = dict.fromkeys((action.value for action in DECIDING), 0)
    confirmed = 0
    for some in done:
        if some.is_own:
            by_action[some.action] += some.count
        elif some.is_confirmed:
            confirmed += some.count
    return Share(by_action, confirmed)


@dataclass(frozen=True)
class Person:
    """What one person did. `minutes` they were at it, on `days` different days."""

    name: str
    own: int
    confirmed: int
    documents: int
    days: int
    minutes: int

    @property
    def decisions_per_minute(self) -> float:
        return self.own / self.minutes

    @property
    def documents_per_minute(self) -> float:
        return self.documents / self.minutes


def people(done: Iterable[Work], at: Mapping[int, Iterable[int]]) -> list[Person]:
    """Whoever decided or submitted anything, by name: this is no contest. `at`: `minutes`."""
    by_author: dict[int, list[Work]] = defaultdict(list)
    for some in done:
        by_author[some.author].append(some)
    names = dict(User.objects.filter(pk__in=by_author).values_list("pk", "username"))
    found = [
        _person(names[author], theirs, active_minutes(at.get(author, [])))
        for author, theirs in by_author.items()
    ]
    return sorted(found, key=lambda person: person.name.casefold())


def _person(name: str, theirs: list[Work], active: int) -> Person:
    return Person(
        name=name,
        own=sum(some.count for some in theirs if some.is_own),
        confirmed=sum(some.count for some in theirs if some.is_confirmed),
        documents=sum(some.count for some in theirs if some.action == Action.SUBMIT),
        days=len({some.day for some in theirs}),
        minutes=max(1, active),
    )


def active_minutes(worked: Iterable[int], idle: int = IDLE_MINUTES) -> int:
    """How many minutes somebody was at it who did something in each of `worked`: a break of more
    than `idle` minutes between two of them does not count."""
    at = sorted(set(worked))
    if not at:
        return 0
    return 1 + sum(gap if (gap := b - a) <= idle else 1 for a, b in pairwise(at))

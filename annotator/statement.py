"""What asking the LLM took, read from the ledger: requests, tokens, money and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from .models import LLMCall, Project, Spending, money


@dataclass(frozen=True)
class Taken:
    """What some requests took; `latency_ms` is the sum over those `timed` that came back."""

    requests: int = 0
    items: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    micros: int = 0
    latency_ms: int = 0
    timed: int = 0

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.requests + other.requests,
            self.items + other.items,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.micros + other.micros,
            self.latency_ms + other.latency_ms,
            self.timed + other.timed,
        )

    @property
    def amount(self) -> Decimal:
        return money(self.micros)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def seconds(self) -> float | None:
        """The mean of a request."""
        return self.latency_ms / self.timed / 1000 if self.timed else None


@dataclass(frozen=True)
class Words:
    """A model and the words that it was asked in."""

    model: str
    prompt_version: str


@dataclass(frozen=True)
class Statement:
    by_state: dict[str, Taken]
    by_words: dict[Words, Taken]
    """The newest first."""

    @property
    def total(self) -> Taken:
        return sum(self.by_state.values(), Taken())

    @property
    def states(self) -> list[tuple[LLMCall.State, Taken]]:
        return [(state, self.by_state[state]) for state in LLMCall.State if state in self.by_state]

    def of(self, state: LLMCall.State) -> Taken:
        return self.by_state.get(state, Taken())


def statement(project: Project) -> Statement:
    """In one query, whose rows are as many as there are models, prompts and states."""
    by_state: dict[str, Taken] = {}
    by_words: dict[Words, Taken] = {}
    calls = project.llm_calls.values("model", "prompt_version", "state")
    for row in _summed(calls.annotate(newest=Max("pk"))).order_by("-newest"):
        taken = _taken(row)
        by_state[row["state"]] = by_state.get(row["state"], Taken()) + taken
        words = Words(row["model"], row["prompt_version"])
        by_words[words] = by_words.get(words, Taken()) + taken
    return Statement(by_state, by_words)


@dataclass(frozen=True)
class Month:
    """`spending` is what counts against the budget; `taken` what the requests begun in it took."""

    first: date
    spending: Spending
    taken: Taken


def months(project: Project) -> list[Month]:
    """Those in which anything was asked, and this one; the newest first."""
    calls = project.llm_calls.annotate(month=TruncMonth("created_at")).values("month")
    taken = {timezone.localdate(row["month"]): _taken(row) for row in _summed(calls).order_by()}
    spent = {spending.month: spending for spending in project.spendings.all()}
    this = timezone.localdate().replace(day=1)
    return [
        Month(
            first,
            spent.get(first, Spending(project=project, month=first)),
            taken.get(first, Taken()),
        )
        for first in sorted({this, *taken, *spent}, reverse=True)
    ]


def _summed(calls: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    summed: QuerySet[Any, Any] = calls.annotate(
        requests=Count("pk"),
        items=Sum("questions_count"),
        prompt=Sum("prompt_tokens"),
        completion=Sum("completion_tokens"),
        cost=Sum("micros"),
        latency=Sum("latency_ms"),
        timed=Count("pk", Q(latency_ms__gt=0)),
    )
    return summed


def _taken(row: dict[str, Any]) -> Taken:
    names = ("requests", "items", "prompt", "completion", "cost", "latency", "timed")
    return Taken(*(row[name] for name in names))


def calls(project: Project, state: str = "") -> QuerySet[LLMCall]:
    """Its requests, the newest first, without what may be long."""
    found = project.llm_calls.filter(state=state) if state else project.llm_calls.all()
    newest_first: QuerySet[LLMCall] = found.order_by("-pk").defer("raw")
    return newest_first

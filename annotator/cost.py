"""What an answer of the LLM takes, as the ledger has it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Sum

from .models import LLMCall, money
from .models.asking import AskedQuerySet


@dataclass(frozen=True)
class Cost:
    """What something takes of requests, tokens and millionths of the operator's currency."""

    requests: float = 0.0
    tokens: float = 0.0
    micros: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.requests + other.requests, self.tokens + other.tokens, self.micros + other.micros
        )

    def __mul__(self, times: float) -> Cost:
        return Cost(self.requests * times, self.tokens * times, self.micros * times)

    @property
    def amount(self) -> Decimal:
        return money(self.micros)


def of_one(answered: AskedQuerySet) -> Cost:
    """The mean of a question, or sentence, of those `answered` whose request is known: twins, which
    were not sent, share in it with the one that was."""
    known = answered.filter(call__isnull=False)
    took = LLMCall.objects.filter(pk__in=known.values("call")).aggregate(
        requests=Count("pk"),
        prompt=Sum("prompt_tokens"),
        completion=Sum("completion_tokens"),
        micros=Sum("micros"),
    )
    if not took["requests"]:
        return Cost()
    tokens = took["prompt"] + took["completion"]
    return Cost(took["requests"], tokens, took["micros"]) * (1 / known.count())

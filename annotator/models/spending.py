"""What asking an LLM costs: prices by model and day, and what each project spent by month."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from .projects import Project
from .scoping import ProjectScopedQuerySet

MICROS = 1_000_000
"""Of the operator's currency; what a token costs is a price per million, so no more than these."""


def money(micros: float) -> Decimal:
    """In the operator's currency."""
    return Decimal(micros) / MICROS


class Price(models.Model):
    """What a million tokens of a model cost from a day on, until a later price begins."""

    model = models.CharField(max_length=100)
    since = models.DateField()
    prompt = models.DecimalField(
        max_digits=10, decimal_places=4, validators=[MinValueValidator(Decimal(0))]
    )
    completion = models.DecimalField(
        max_digits=10, decimal_places=4, validators=[MinValueValidator(Decimal(0))]
    )

    class Meta:
        ordering = ["model", "-since"]
        constraints = [
            models.UniqueConstraint(fields=["model", "since"], name="one_price_a_day"),
            models.CheckConstraint(
                condition=Q(prompt__gte=0, completion__gte=0), name="prices_are_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} since {self.since}"

    @classmethod
    def on(cls, model: str, day: date) -> Price | None:
        """The price of `model` that holds on `day`; None where it has none by then."""
        return cls.objects.filter(model=model, since__lte=day).order_by("-since").first()

    def micros(self, prompt_tokens: int, completion_tokens: int) -> int:
        """The cost of so many tokens, in millionths, rounded up."""
        return math.ceil(self.prompt * prompt_tokens + self.completion * completion_tokens)


class Spending(models.Model):
    """A project's requests of one month, those under way at the most that they may cost."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="spendings")
    month = models.DateField()
    """Its first day."""
    micros = models.BigIntegerField(default=0)

    objects = ProjectScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-month"]
        constraints = [
            models.UniqueConstraint(fields=["project", "month"], name="one_spending_a_month"),
            models.CheckConstraint(condition=Q(micros__gte=0), name="spending_is_not_negative"),
        ]

    @property
    def amount(self) -> Decimal:
        return money(self.micros)

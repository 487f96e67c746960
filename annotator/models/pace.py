"""How soon a server may be asked again: what it said, and how often in a row it failed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Pace(models.Model):
    """No request to a provider's model begins before `not_before`, and after too many failures in
    a row only one at a time does. It is the operator's server, so no project owns the row."""

    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=100)
    not_before = models.DateTimeField(default=timezone.now)
    failures = models.PositiveIntegerField(default=0)
    """How often in a row the server failed; requests that were under way when it was decided to
    leave it alone do not count."""
    reason = models.CharField(max_length=300, blank=True)
    """What was wrong last time, in plain words."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "model"], name="one_pace_a_server"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model}"

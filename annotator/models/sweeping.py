"""What an LLM found when it read whole sentences."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import F, Q

from .asking import LLMCall
from .documents import Document
from .scoping import ProjectScopedQuerySet


class SweptSentenceQuerySet(ProjectScopedQuerySet):
    project_path = "document__project"

    def of_prompt(self, provider: str, model: str, prompt_version: str) -> Self:
        return self.filter(provider=provider, model=model, prompt_version=prompt_version)

    def answered(self) -> Self:
        return self.filter(state=SweptSentence.State.ANSWERED)


class SweptSentence(models.Model):
    """One sentence put to one LLM with one prompt, once, to be read for all its mentions."""

    class State(models.TextChoices):
        OPEN = "open"
        ANSWERED = "answered"
        UNRESOLVED = "unresolved"

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="swept")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=100)
    prompt_version = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    found = models.JSONField(default=list)
    """The mentions that it named: `[[start, end, label], …]`, offsets in the document."""
    ungrounded = models.JSONField(default=list)
    """What it named that does not stand there so: `[[words, label], …]`; never placed by guess."""
    reason = models.CharField(max_length=300, blank=True)
    """Why there is no answer, in plain words."""
    call = models.ForeignKey(
        LLMCall, null=True, on_delete=models.SET_NULL, related_name="sentences"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SweptSentenceQuerySet.as_manager()

    class Meta:
        ordering = ["document", "start"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "start", "end", "provider", "model", "prompt_version"],
                name="a_sentence_is_swept_once",
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="sentence_not_empty"),
        ]

    def labels(self) -> dict[tuple[int, int], str]:
        """The label of each span that it named."""
        return {(start, end): label for start, end, label in self.found}

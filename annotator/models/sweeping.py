"""What an LLM found when it read whole sentences."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import F, Q

from .asking import AskedOnce, AskedQuerySet, LLMCall
from .documents import Document


class SweptSentence(AskedOnce):
    """One sentence, to be read for all its mentions."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="swept")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    found = models.JSONField(default=list)
    """The mentions that it named: `[[start, end, label], …]`, offsets in the document."""
    ungrounded = models.JSONField(default=list)
    """What it named that does not stand there so: `[[words, label], …]`; never placed by guess."""
    call = models.ForeignKey(
        LLMCall, null=True, on_delete=models.SET_NULL, related_name="sentences"
    )

    objects = AskedQuerySet.as_manager()

    ANSWER = ("state", "found", "ungrounded", "reason", "call_id")

    class Meta:
        ordering = ["document", "start"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "start", "end", "provider", "model", "prompt_version"],
                name="a_sentence_is_swept_once",
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="sentence_not_empty"),
            models.CheckConstraint(condition=~Q(fingerprint=""), name="sentence_has_a_fingerprint"),
        ]

    def take(self, twin: Self) -> None:
        """As for all, where the text of `twin` is the same: its finds stand elsewhere here."""
        super().take(twin)
        by = self.start - twin.start
        self.found = [[start + by, end + by, label] for start, end, label in twin.found]

    def labels(self) -> dict[tuple[int, int], str]:
        """The label of each span that it named."""
        return {(start, end): label for start, end, label in self.found}

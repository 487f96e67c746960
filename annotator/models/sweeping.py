"""What an LLM found when it read whole sentences."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from .asking import AskedQuerySet, LLMCall
from .documents import Document


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
    fingerprint = models.CharField(max_length=64, db_index=True)
    """Of what is sent and to whom: twins have the same, and the same finds (`twins`)."""
    created_at = models.DateTimeField(auto_now_add=True)

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

    @property
    def is_answered(self) -> bool:
        return self.state == SweptSentence.State.ANSWERED

    def take(self, twin: SweptSentence) -> None:
        """Takes over what became of `twin`, whose text is the same (not saved)."""
        for name in SweptSentence.ANSWER:
            setattr(self, name, getattr(twin, name))
        by = self.start - twin.start
        self.found = [[start + by, end + by, label] for start, end, label in twin.found]

    def labels(self) -> dict[tuple[int, int], str]:
        """The label of each span that it named."""
        return {(start, end): label for start, end, label in self.found}

"""What was asked of an LLM: questions about spans, and the ledger of requests."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, OuterRef, Q

from mlworker import schema

from .documents import Document
from .jobs import Chunk
from .projects import Project
from .scoping import ProjectScopedQuerySet
from .spending import money


class LLMCall(models.Model):
    """One HTTP request to an LLM: written before it is sent, settled when its answer is stored.
    Those that are answered or failed, and of the unknown ones some, are what the server counts."""

    class State(models.TextChoices):
        SENT = "sent"
        ANSWERED = "answered"
        FAILED = "failed"
        UNKNOWN = "unknown", "unknown: sent, but its answer never came back"
        UNSENT = "unsent", "unsent: nothing reached the server"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="llm_calls")
    chunk = models.ForeignKey(Chunk, null=True, on_delete=models.SET_NULL, related_name="calls")
    attempt = models.PositiveSmallIntegerField()
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=100)
    prompt_version = models.CharField(max_length=40)
    state = models.CharField(max_length=8, choices=State, default=State.SENT)
    questions_count = models.PositiveSmallIntegerField()
    """Of sentences, where these were to be read."""
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    micros = models.BigIntegerField(default=0)
    """What it cost in millionths of the operator's currency; the most that it may while it is
    under way, and for good where nobody knows what became of it."""
    starts = models.PositiveSmallIntegerField(default=0)
    """How often its chunk had been begun before it."""
    latency_ms = models.PositiveIntegerField(default=0)
    raw = models.TextField(blank=True)
    """What the server said, as it said it, cut at 8 kB."""
    reason = models.CharField(max_length=300, blank=True)
    examples = models.JSONField(default=dict)
    """The examples beside single questions as they were sent: the question's fingerprint, or in
    older rows its id, to a list of `schema.Example`."""
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True)

    objects = ProjectScopedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state="sent"), name="calls_under_way"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["chunk", "attempt"], name="one_call_an_attempt"),
            models.CheckConstraint(
                condition=Q(state__in=["sent", "answered", "failed", "unknown", "unsent"]),
                name="known_call_state",
            ),
        ]

    @property
    def amount(self) -> Decimal:
        return money(self.micros)

    @property
    def seconds(self) -> float:
        return self.latency_ms / 1000

    @property
    def is_sweep(self) -> bool:
        """Whether what it held were sentences to be read, not questions."""
        return self.prompt_version.startswith("sweep.")


class AskedQuerySet(ProjectScopedQuerySet):
    """Of what is `AskedOnce`."""

    project_path = "document__project"

    def answered(self) -> Self:
        return self.filter(state=AskedOnce.State.ANSWERED)

    def waiting(self) -> Self:
        return self.filter(state=AskedOnce.State.OPEN)


class AskedOnce(models.Model):
    """What is put to one LLM with one prompt, once: a question, or a sentence to be read."""

    class State(models.TextChoices):
        OPEN = "open"
        ANSWERED = "answered"
        UNRESOLVED = "unresolved"

    ANSWER: ClassVar[tuple[str, ...]]
    """The fields that say what became of it."""

    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=100)
    prompt_version = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    reason = models.CharField(max_length=300, blank=True)
    """Why there is no answer, in plain words."""
    fingerprint = models.CharField(max_length=64, db_index=True)
    """Of what is sent and to whom: twins have the same, and the same answer (`twins`)."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    @property
    def is_open(self) -> bool:
        return self.state == AskedOnce.State.OPEN

    @property
    def is_answered(self) -> bool:
        return self.state == AskedOnce.State.ANSWERED

    def take(self, twin: Self) -> None:
        """Takes over what became of `twin` (not saved)."""
        for name in self.ANSWER:
            setattr(self, name, getattr(twin, name))


class QuestionQuerySet(AskedQuerySet):
    def about_outer_prediction(self) -> Self:
        """For `Exists` in a query of predictions: the questions about the same span."""
        return self.filter(
            document=OuterRef("tagging__document"), start=OuterRef("start"), end=OuterRef("end")
        )


class Question(AskedOnce):
    """One span; its answer serves every model version."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="questions")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    sentence_start = models.PositiveIntegerField()
    sentence_end = models.PositiveIntegerField()
    answer = models.CharField(max_length=64, blank=True)
    """A label's name or "O"; empty unless the state is `answered`."""
    probability = models.FloatField(null=True)
    probabilities = models.JSONField(null=True)
    """That of every option, by label name or "O", where the LLM gave them; they make 1."""
    call = models.ForeignKey(LLMCall, null=True, on_delete=models.SET_NULL, related_name="answers")

    objects = QuestionQuerySet.as_manager()

    ANSWER = ("state", "answer", "probability", "probabilities", "reason", "call_id")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["document", "start", "end", "provider", "model", "prompt_version"],
                name="a_span_is_asked_once",
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="question_span_not_empty"),
            models.CheckConstraint(
                condition=Q(state="answered") ^ Q(answer=""), name="answered_means_an_answer"
            ),
            models.CheckConstraint(condition=~Q(fingerprint=""), name="question_has_a_fingerprint"),
        ]

    @property
    def examples(self) -> list[schema.Example]:
        """What stood beside it alone, or beside the twin that was asked for it, the last time."""
        sent = self.call.examples if self.call else {}
        beside = sent.get(self.fingerprint) or sent.get(str(self.pk), [])
        return [schema.Example.from_json(example) for example in beside]

    @property
    def says_no_entity(self) -> bool:
        return self.answer == schema.NO_ENTITY

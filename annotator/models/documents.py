"""Documents, whose text never changes, and the mentions in them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from mlworker import schema

from .people import User
from .projects import Label, Project
from .scoping import ProjectScopedQuerySet

if TYPE_CHECKING:
    from .machine import ModelVersion


class Import(models.Model):
    """One file that came in. The same file comes in once per project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    filename = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=20)
    documents_count = models.PositiveIntegerField(default=0)
    notes = models.JSONField(default=list)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectScopedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "sha256"], name="a_file_comes_in_once"),
        ]

    @property
    def counted(self) -> str:
        number = self.documents_count
        return f"{number:,} document{'' if number == 1 else 's'}"


class DocumentQuerySet(ProjectScopedQuerySet):
    def gold(self) -> Self:
        return self.filter(status=Document.Status.GOLD)

    def to_review(self) -> Self:
        """Tagged documents that nobody has reviewed yet."""
        return self.filter(status=Document.Status.TAGGED)

    def needing_people(self) -> Self:
        """Those among them in which at least one mention needs a person."""
        return self.to_review().filter(needs_count__gt=0)

    def without_text(self) -> Self:
        """Loads the rows without what may be long."""
        return self.defer("text", "tokens", "sentences", "meta")

    def flagged(self) -> Self:
        """Those that somebody wants somebody else to look at."""
        return self.filter(flagged_at__isnull=False)

    def commented(self) -> Self:
        comments = Document.comments.rel.related_model.objects  # type: ignore[attr-defined]
        return self.filter(Exists(comments.filter(document=OuterRef("pk"))))

    def held_out(self) -> Self:
        """Gold that is never trained on: what thresholds and figures are estimated from."""
        return self.gold().filter(split=Document.Split.DEV)

    def unread_by(self, version: ModelVersion) -> Self:
        """Documents that `version` has not read with its project's method, but should: all but
        the gold it learns from."""
        taggings = Document.taggings.rel.related_model.objects  # type: ignore[attr-defined]
        read = taggings.filter(
            document=OuterRef("pk"), version=version, method=version.project.method
        )
        learned = Q(status=Document.Status.GOLD, split=Document.Split.TRAIN)
        return self.exclude(learned).exclude(Exists(read))


class Document(models.Model):
    class Status(models.TextChoices):
        NEW = "new", "new"
        TAGGED = "tagged", "to review"
        GOLD = "gold", "gold"

    class Split(models.TextChoices):
        TRAIN = "train"
        DEV = "dev"
        TEST = "test"
        NONE = "none"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="documents")
    source = models.ForeignKey(Import, null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=255)
    text = models.TextField()
    """Exactly as received; offsets everywhere count its Unicode code points."""
    sha256 = models.CharField(max_length=64, editable=False)
    length = models.PositiveIntegerField(editable=False)
    tokens = models.JSONField(null=True)
    """Offsets of the words, `[[start, end], …]`, where the corpus came tokenised."""
    sentences = models.JSONField(null=True)
    """Where its sentences are, `[[start, end], …]`, for as long as no model has read it."""
    meta = models.JSONField(default=dict)
    split = models.CharField(max_length=5, choices=Split, default=Split.NONE)
    status = models.CharField(max_length=6, choices=Status, default=Status.NEW)
    version = models.PositiveIntegerField(default=0)
    """Counts the decisions taken in this document; a stale one is refused."""
    needs_count = models.PositiveIntegerField(default=0)
    """How many mentions need a person: kept so that the queue is one indexed read."""
    priority = models.FloatField(default=0)
    """About how many of the mentions that need a person are wrong: the queue's order."""
    reviewed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    flagged_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    """Who wants somebody else to look at it."""
    flagged_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(
                fields=["project", "-priority", "status", "id"],
                condition=~Q(status="gold"),
                name="document_queue",
            ),
            models.Index(fields=["project", "split", "status"], name="document_split"),
            models.Index(fields=["project", "status", "needs_count"], name="document_progress"),
            models.Index(fields=["project", "sha256"], name="document_audit"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["new", "tagged", "gold"]), name="known_document_status"
            ),
            models.CheckConstraint(
                condition=Q(split__in=["train", "dev", "test", "none"]), name="known_split"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of(cls, project: Project, record: schema.Text, **fields: object) -> Document:
        """An unsaved document of `record`'s text and tokens."""
        return cls(
            project=project,
            text=record.text,
            sha256=hashlib.sha256(record.text.encode()).hexdigest(),
            length=len(record.text),
            tokens=record.tokens,
            **fields,
        )

    def image(self) -> dict[str, Any]:
        """What a submit changes of it, as JSON."""
        at = self.reviewed_at
        return {
            "status": str(self.status),
            "split": str(self.split),
            "reviewed_by_id": self.reviewed_by_id,
            "reviewed_at": at.isoformat() if at else None,
        }

    def become(self, image: dict[str, Any]) -> None:
        """Takes over an `image` (not saved)."""
        at = image["reviewed_at"]
        self.status, self.split = image["status"], image["split"]
        self.reviewed_by_id = image["reviewed_by_id"]
        self.reviewed_at = datetime.fromisoformat(at) if at else None


class MentionQuerySet(ProjectScopedQuerySet):
    project_path = "document__project"

    def undecided(self) -> Self:
        return self.filter(state=Mention.State.SUGGESTED)

    def accepted(self) -> Self:
        return self.filter(state=Mention.State.ACCEPTED)


class Mention(models.Model):
    """A span with a label in a document: suggested by the machine, or decided by a person.

    Suggestions are rebuilt from predictions, answers and τ whenever one of these changes
    (`suggestions.py`); decided mentions never are. The accepted mentions of a document whose
    status is `gold` are its gold.
    """

    class State(models.TextChoices):
        SUGGESTED = "suggested"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    class Source(models.TextChoices):
        LOCAL = "local", "local model"
        LLM = "llm", "LLM"
        PERSON = "person", "person"
        IMPORT = "import", "import"
        SWEEP = "sweep", "LLM reading the sentence"

    FORM_LENGTH = 200
    IMAGE = (
        *("id", "start", "end", "label_id", "state", "source", "needs_person", "maybe"),
        *("reason", "right", "prediction_id", "question_id"),
    )

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="mentions")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    label = models.ForeignKey(Label, on_delete=models.RESTRICT, related_name="mentions")
    state = models.CharField(max_length=9, choices=State, default=State.SUGGESTED)
    source = models.CharField(max_length=6, choices=Source)
    needs_person = models.BooleanField(default=False)
    maybe = models.BooleanField(default=False)
    """Shown to be asked about; left alone it is not a mention."""
    reason = models.CharField(max_length=300, blank=True)
    """Why a person is asked, in plain words."""
    right = models.FloatField(null=True)
    """How probably the machine's last word on this span is right, where checked spans tell."""
    prediction = models.ForeignKey(
        "annotator.Prediction", null=True, on_delete=models.SET_NULL, related_name="mentions"
    )
    question = models.ForeignKey(
        "annotator.Question", null=True, on_delete=models.SET_NULL, related_name="mentions"
    )

    form = models.CharField(max_length=FORM_LENGTH, default="", editable=False)
    """Its words, cut after so many characters: what alike mentions are found by."""

    objects = MentionQuerySet.as_manager()

    class Meta:
        ordering = ["start", "-end", "pk"]
        indexes = [
            models.Index(
                fields=["form", "label"],
                condition=Q(state="suggested"),
                name="open_mentions_alike",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="mention_span_not_empty"),
            models.CheckConstraint(
                condition=Q(state__in=["suggested", "accepted", "rejected"]),
                name="known_mention_state",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["local", "llm", "person", "import", "sweep"]),
                name="known_mention_source",
            ),
            models.UniqueConstraint(
                fields=["document", "start", "end", "label"], name="mentions_differ"
            ),
        ]

    @property
    def surface(self) -> str:
        return self.document.text[self.start : self.end]

    @property
    def key(self) -> tuple[int, int, int]:
        """What it is: no two mentions of a document share it."""
        return self.start, self.end, self.label_id

    def take_form(self, text: str) -> None:
        """Sets `form` from the document's `text` (not saved); whoever makes or resizes one calls
        this."""
        self.form = text[self.start : min(self.end, self.start + Mention.FORM_LENGTH)]

    def image(self) -> dict[str, Any]:
        """The row as JSON, all but its document and its form, which follow."""
        return {name: getattr(self, name) for name in Mention.IMAGE}

    @property
    def routing(self) -> schema.Routing:
        """Who decides this span."""
        if self.needs_person or self.state != Mention.State.SUGGESTED:
            return schema.Routing.HUMAN
        by_llm = self.source in (Mention.Source.LLM, Mention.Source.SWEEP)
        return schema.Routing.LLM if by_llm else schema.Routing.ACCEPT

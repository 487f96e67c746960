"""What the local model is and says: versions, thresholds and immutable predictions."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import F, Max, Q

from mlworker import schema

from .documents import Document
from .projects import Label, Project
from .scoping import ProjectScopedQuerySet


class ModelVersion(models.Model):
    """A trained model: immutable, a folder below the storage root with a manifest of hashes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    path = models.CharField(max_length=255, unique=True)
    start = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    """The version that it went on from; null: it began with the encoder."""
    encoder = models.CharField(max_length=255)
    head = models.CharField(max_length=20, default=schema.Head.SOFTMAX.value)
    labels = models.JSONField()
    """The names of the labels that it knows."""
    train_documents = models.PositiveIntegerField()
    dev_documents = models.PositiveIntegerField()
    skipped_mentions = models.PositiveIntegerField()
    """Gold mentions longer than the model can see, or not aligned with its words."""
    scores = models.JSONField(null=True)
    """Precision, recall and F1 on held-out gold, in percent; null without any."""
    seconds = models.FloatField()
    gold_at = models.DateTimeField()
    """When the gold that it learned from was exported."""
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="version_numbers_differ"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    def candidate_floor(self) -> float:
        """The entity mass below which this version's candidates are not worth a question, by
        whatever method: the highest found, for below it none are seen any more."""
        highest: float | None = self.thresholds.aggregate(Max("candidate_floor"))[
            "candidate_floor__max"
        ]
        return highest or 0.0


class Threshold(models.Model):
    """τ of a model version under one method; the newest row counts."""

    class Origin(models.TextChoices):
        TRAINING = "training", "held-out gold, before the LLM was asked"
        INTERSECTION = "intersection", "held-out gold, local model against LLM"
        BUDGET = "budget", "the budget of questions"

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="thresholds")
    method = models.CharField(max_length=20)
    tau = models.FloatField()
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    """Bounds of τ in 95 of 100 resamples of the evidence; null where there is too little of it."""
    candidate_floor = models.FloatField(default=0)
    """The entity mass below which a candidate is not worth a question."""
    origin = models.CharField(max_length=12, choices=Origin)
    intervals = models.JSONField(default=list)
    """The evidence: accuracy of local model and LLM per interval of uncertainty."""
    pool = models.JSONField(null=True)
    """How what is known of a routed span is weighed (`schema.Pool`); null: by the paper's rule."""
    swept = models.PositiveIntegerField(default=0)
    """How many sentences of held-out gold the LLM had read when it was chosen."""
    frontier = models.JSONField(null=True)
    """What each way of using the LLM finds in held-out gold (`schema.Frontier`); null: unknown."""
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(tau__gte=0, tau__lte=1), name="tau_in_range"),
        ]

    @property
    def awaits_answers(self) -> bool:
        """Whether the LLM's answers about held-out gold may still say better."""
        return self.origin == Threshold.Origin.TRAINING


class Tagging(models.Model):
    """That a version has read a document: the key that makes storing predictions idempotent."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="taggings")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="taggings")
    method = models.CharField(max_length=20)
    sentences = models.JSONField(default=list)
    """The sentences, `[[start, end, missed], …]`, with the mentions expected beside those found."""
    faint = models.JSONField(default=list)
    """What is neither predicted nor a candidate: `[[start, end, [p(O), p(label), …]], …]`."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["document", "version", "method"], name="one_tagging_a_version"
            ),
        ]


class PredictionQuerySet(models.QuerySet["Prediction"]):
    def serving(self, project: Project) -> Self:
        """What the version that serves `project` says, by the project's method."""
        return self.filter(tagging__version=project.serving, tagging__method=project.method)

    def routed(self, tau: float) -> Self:
        """Candidates, and predicted mentions with u > τ."""
        return self.filter(Q(lane=Prediction.Lane.CANDIDATE) | Q(uncertainty__gt=tau))

    def held_out(self) -> Self:
        """Those about gold that is held out."""
        return self.filter(tagging__document__in=Document.objects.held_out())

    def left_out(self) -> Self:
        """Those that the LLM is not asked about, as `Prediction.is_left_out`."""
        return self.filter(lane=Prediction.Lane.MENTION, label__ask_llm=False)


class Prediction(models.Model):
    """One scored span of one tagging; never changed."""

    class Lane(models.TextChoices):
        MENTION = "mention"
        CANDIDATE = "candidate"

    tagging = models.ForeignKey(Tagging, on_delete=models.CASCADE, related_name="predictions")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    label = models.ForeignKey(Label, on_delete=models.RESTRICT, related_name="+")
    """The best label that is an entity, in both lanes."""
    lane = models.CharField(max_length=9, choices=Lane)
    probabilities = models.JSONField()
    """Every label's name, and "O", to its probability."""
    uncertainty = models.FloatField()
    sentence_start = models.PositiveIntegerField()
    sentence_end = models.PositiveIntegerField()
    nearest = models.JSONField(default=list)
    """The gold mentions most like it (`schema.Neighbour`), as gold was when the version learned."""

    objects = PredictionQuerySet.as_manager()

    class Meta:
        ordering = ["start"]
        constraints = [
            models.UniqueConstraint(
                fields=["tagging", "start", "end"], name="one_prediction_a_span"
            ),
            models.CheckConstraint(
                condition=Q(
                    end__gt=F("start"),
                    sentence_start__lte=F("start"),
                    sentence_end__gte=F("end"),
                ),
                name="prediction_inside_its_sentence",
            ),
            models.CheckConstraint(
                condition=Q(uncertainty__gte=0, uncertainty__lte=1), name="uncertainty_in_range"
            ),
            models.CheckConstraint(
                condition=Q(lane__in=["mention", "candidate"]), name="known_lane"
            ),
        ]

    @property
    def is_left_out(self) -> bool:
        """Whether the project does not want the LLM asked about it, for the sake of its label."""
        return self.lane == Prediction.Lane.MENTION and not self.label.ask_llm

    @property
    def surface(self) -> str:
        return self.tagging.document.text[self.start : self.end]

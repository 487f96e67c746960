"""Long work: a job and its chunks. These rows are the truth; messages only carry it."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from .people import User
from .projects import Project
from .scoping import ProjectScopedQuerySet


class JobQuerySet(ProjectScopedQuerySet):
    def active(self) -> Self:
        """Running or paused: of these there is one of a kind in a project."""
        return self.filter(state__in=Job.ACTIVE)

    def running(self) -> Self:
        return self.filter(state=Job.State.RUNNING)


class Job(models.Model):
    class Kind(models.TextChoices):
        TRAIN = "train", "Training"
        TAG = "tag", "Tagging"
        LINK = "link", "Asking the LLM"
        RECALIBRATE = "recalibrate", "Recalibrating"
        TRIAL = "trial", "Trying a prompt"
        SPLIT = "split", "Finding sentences"
        SWEEP = "sweep", "The LLM reads sentences"

    ASKING = (Kind.LINK, Kind.TRIAL, Kind.SWEEP)
    """The kinds that send requests to an LLM."""

    class State(models.TextChoices):
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ACTIVE = (State.RUNNING, State.PAUSED)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=12, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    total = models.PositiveIntegerField(default=0)
    """Documents, questions, sentences or training steps; 0 while not known."""
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=300, blank=True)
    """What it is doing, or why it failed, in plain words."""
    follow = models.BooleanField(default=True)
    """Whether the next step of the loop starts when this one is done."""
    version = models.ForeignKey(
        "annotator.ModelVersion", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    """The model version that it is about; of a training the one that it was to go on from."""
    cold = models.BooleanField(default=False)
    """Training only: to begin with the encoder, whatever version serves."""
    method = models.CharField(max_length=20)
    """The project's method when it started: what is sent and what is stored agree on it."""
    gold_at = models.DateTimeField(null=True)
    """Training only: when its gold was exported."""
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    """The last sign of life."""
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "kind"],
                condition=Q(state__in=["running", "paused"]),
                name="one_active_job_a_kind",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["running", "paused", "done", "failed", "cancelled"]),
                name="known_job_state",
            ),
        ]

    @property
    def is_active(self) -> bool:
        return self.state in Job.ACTIVE

    @property
    def is_running(self) -> bool:
        return self.state == Job.State.RUNNING

    @property
    def is_paused(self) -> bool:
        return self.state == Job.State.PAUSED

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done // self.total) if self.total else 0


class ChunkQuerySet(models.QuerySet["Chunk"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=[Chunk.State.PENDING, Chunk.State.SENT])


class Chunk(models.Model):
    """A part of a job small enough to be done again. Claimed by a conditional UPDATE."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        DONE = "done"
        FAILED = "failed"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    items = models.JSONField(default=list)
    """Ids of the documents, questions or sentences it is about."""
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    """How often it was sent."""
    starts = models.PositiveSmallIntegerField(default=0)
    """How often a worker said that it began; a chunk that is begun but never ends is split."""
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    objects = ChunkQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["state", "lease_until"], name="chunk_leases")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "sent", "done", "failed"]),
                name="known_chunk_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | Q(lease_until__isnull=False),
                name="a_sent_chunk_has_a_lease",
            ),
        ]

    @property
    def has_ended(self) -> bool:
        return self.state in (Chunk.State.DONE, Chunk.State.FAILED)


class WorkerBeat(models.Model):
    """When a worker of a queue last said that it is there."""

    queue = models.CharField(max_length=20, primary_key=True)
    seen_at = models.DateTimeField()

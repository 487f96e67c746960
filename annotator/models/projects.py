"""Projects, their members and their labels."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.text import slugify

from mlworker import schema

from .people import User
from .scoping import ProjectScopedQuerySet

if TYPE_CHECKING:
    from .machine import Threshold


class ProjectQuerySet(ProjectScopedQuerySet):
    project_path = ""

    def managed_by(self, user: User) -> ProjectQuerySet:
        """Projects in which `user` may change settings, import, train and export."""
        return self.filter(memberships__user=user, memberships__role__in=Membership.MANAGING)


class Project(models.Model):
    class Provider(models.TextChoices):
        NONE = "", "No LLM: doubtful spans go to people"
        OPENAI = "openai", "The LLM server of this installation"
        TRANSFORMERS = "transformers", "The LLM on this installation's own machine"
        RECORDED = "recorded", "Recorded answers, no live LLM"

    class Fusion(models.TextChoices):
        POOL = "pool", "by what checked spans say of each (the paper's rule until there are enough)"
        REPLACE = "replace", "the LLM's label replaces the local one (the paper's rule)"

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=110, unique=True, editable=False)
    guidelines = models.TextField(blank=True)
    language = models.CharField(max_length=3, default=schema.DEFAULT_LANGUAGE)
    """Of `LANGUAGES`: by whose rules documents are cut into sentences and words."""
    overlap = models.BooleanField(default=False)
    """Whether mentions may overlap or lie within each other."""
    head = models.CharField(
        max_length=20,
        choices=[(head.value, head.value) for head in schema.Head],
        default=schema.Head.SOFTMAX.value,
    )
    """What the next version's logits mean; the one that serves keeps its own."""
    method = models.CharField(
        max_length=20,
        choices=[(m.value, m.value.replace("_", " ")) for m in schema.Method],
        default=schema.Method.LEAST_CONFIDENCE.value,
    )
    candidates_per_100 = models.FloatField(
        default=20, validators=[MinValueValidator(0), MaxValueValidator(500)]
    )
    """How many candidates per 100 sentences may be routed."""
    questions_per_100 = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    """How many spans per 100 documents τ may route; null: τ follows from held-out gold."""
    fusion = models.CharField(max_length=7, choices=Fusion, default=Fusion.POOL)
    """How local model and LLM are brought together."""
    sure = models.FloatField(default=0.8, validators=[MinValueValidator(0.5), MaxValueValidator(1)])
    """A pooled outcome that is right with less probability goes to a person."""
    sweep_share = models.FloatField(
        default=0, validators=[MinValueValidator(0), MaxValueValidator(100)]
    )
    """Percent of the sentences that the LLM reads whole, those first in which most is missed."""
    provider = models.CharField(max_length=20, choices=Provider, default=Provider.NONE, blank=True)
    monthly_budget = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
    )
    """The most that a month's requests to the LLM may cost, in the operator's currency; null: no
    limit."""
    recording = models.CharField(max_length=50, blank=True)
    """Which recorded answers the provider `recorded` reads."""
    prompt = models.ForeignKey(
        "annotator.Prompt", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    """The one that the LLM is asked with; null: the built-in one."""
    retrain_after = models.PositiveIntegerField(default=20)
    """Documents reviewed since the last training that start the next one; 0: never by itself."""
    serving = models.ForeignKey(
        "annotator.ModelVersion",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    """The one pointer that says which model version tags."""
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="project_has_a_name")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        if not self.slug:
            self.slug = self._free_slug()
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def _free_slug(self) -> str:
        base = slugify(self.name)[:100] or "project"
        taken = set(Project.objects.filter(slug__startswith=base).values_list("slug", flat=True))
        numbered = (f"{base}-{n}" for n in range(2, len(taken) + 3))
        return base if base not in taken else next(s for s in numbered if s not in taken)

    def clean(self) -> None:
        """Refuses a method that the head, or the version that serves, does not offer."""
        heads = {schema.Head(self.head)}
        if self.serving is not None:
            heads.add(schema.Head(self.serving.head))
        missing = [head for head in heads if schema.Method(self.method) not in head.methods]
        if missing:
            raise ValidationError(
                {
                    "method": f"A model with a {missing[0]} head does not offer "
                    f"{self.get_method_display()}: choose the head and train first, then the "
                    "uncertainty."
                }
            )

    @property
    def llm_allowed(self) -> bool:
        return self.provider != Project.Provider.NONE

    @property
    def asks_server(self) -> bool:
        """Whether it asks the LLM server: only that may cost something, may answer otherwise when
        it is asked again, and can read sentences."""
        return self.provider == Project.Provider.OPENAI

    def threshold(self) -> Threshold | None:
        """The newest threshold of the serving version under this project's method."""
        if self.serving is None:
            return None
        return self.serving.thresholds.filter(method=self.method).order_by("-pk").first()

    def role_of(self, user: User) -> str:
        """The role of `user` here; empty for someone who is not a member."""
        membership = self.memberships.filter(user=user).first()
        return membership.role if membership else ""


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner"
        MANAGER = "manager"
        ANNOTATOR = "annotator"

    MANAGING = (Role.OWNER, Role.MANAGER)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_membership_each"),
            models.CheckConstraint(
                condition=Q(role__in=["owner", "manager", "annotator"]), name="known_role"
            ),
        ]


class Label(models.Model):
    COLOURS = 12
    """How many colours the style sheet has for labels."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=64)
    description = models.TextField(blank=True)
    position = models.PositiveSmallIntegerField()
    """Order in the interface; also picks the colour and the digit key."""
    ask_llm = models.BooleanField(default=True)
    """Whether the LLM is asked about routed spans that the local model gives this label."""

    objects = ProjectScopedQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="label_names_differ"),
            models.UniqueConstraint(fields=["project", "position"], name="label_positions_differ"),
            models.CheckConstraint(
                condition=~Q(name__in=["", schema.NO_ENTITY]), name="label_name_is_usable"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def colour(self) -> int:
        """Which of the colour classes `label-0`, … is this label's."""
        return self.position % Label.COLOURS

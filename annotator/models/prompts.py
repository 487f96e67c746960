"""Prompts that managers made, and trials of them against the one in use."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models import Q

from mlworker import schema

from .corrections import AppendOnlyError
from .machine import Prediction
from .people import User
from .projects import Project
from .scoping import ProjectScopedQuerySet


class PromptQuerySet(ProjectScopedQuerySet):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Prompts are never changed; make a new one.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("Prompts are never deleted.")


class Prompt(models.Model):
    """What a project's LLM is told: immutable, for answers are kept by the words they were given
    to. Examples drawn at random are drawn once, when the prompt is made, so that more gold changes
    nothing. The nearest are of each span: of them the prompt says only how many (`shots.beside`).

    The database refuses UPDATE by a trigger (`append_only.py`).
    """

    class Form(models.TextChoices):
        CHOICE = schema.Form.CHOICE.value, "several questions a request"
        QUESTION = schema.Form.QUESTION.value, "one question a request, as in the paper"

    class Shots(models.TextChoices):
        NONE = "none", "no examples"
        RANDOM = "random", "at random from gold, the same for all questions"
        NEAREST = "nearest", "most like each span in gold"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompts")
    number = models.PositiveIntegerField()
    form = models.CharField(max_length=8, choices=Form)
    text = models.TextField()
    """The instructions, with the slot for the options."""
    shots = models.CharField(max_length=7, choices=Shots, default=Shots.NONE)
    """How the examples were chosen."""
    per_label = models.PositiveSmallIntegerField(default=0)
    """How many of each label, and of "not an entity", were wanted, or of the nearest how many for
    each question (there may be fewer)."""
    seed = models.PositiveIntegerField(default=1)
    examples = models.JSONField(default=list)
    """`schema.Example` as JSON: those that are the same for all questions."""
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromptQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="prompt_numbers_differ"),
            models.CheckConstraint(
                condition=Q(form__in=["choice", "question"]), name="known_prompt_form"
            ),
            models.CheckConstraint(
                condition=Q(shots="none", per_label=0)
                | Q(shots__in=["random", "nearest"], per_label__gt=0),
                name="examples_are_chosen_somehow",
            ),
        ]

    def __str__(self) -> str:
        return f"prompt {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Prompts are never deleted.")

    def as_sent(self) -> schema.Prompt:
        examples = [schema.Example.from_json(example) for example in self.examples]
        return schema.Prompt(self.text, schema.Form(self.form), examples)


class Trial(models.Model):
    """A prompt and the one in use (null: the built-in one), both asked about the same spans.

    Its answers are questions like any other, but of a prompt that is not in use: they change no
    document, and need not be asked again should it come into use.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="trials")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="trials")
    against = models.ForeignKey(Prompt, null=True, on_delete=models.CASCADE, related_name="+")
    spans = models.ManyToManyField(Prediction, related_name="+")
    is_over = models.BooleanField(default=False)
    """Whether somebody took up the prompt or discarded it."""
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

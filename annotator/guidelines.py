"""The guidelines of a project: its own words, and of each label the description and what it looks
like in gold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest, Substr

from .examples import MARGIN, on_its_line
from .models import Document, Label, Mention, Project
from .projects import UNSTORABLE

EXAMPLES = 3
"""Gold examples shown of a label."""
LOOKED_AT = 12
"""Mentions among which examples with different words are looked for."""
LONGEST = 80
"""Characters of a mention that can be an example."""
GUIDELINES_LIMIT = 100_000
DESCRIPTION_LIMIT = 2_000


@dataclass(frozen=True)
class Example:
    """A gold mention with what stands around it on its line."""

    before: str
    surface: str
    after: str


def examples_of(label: Label) -> list[Example]:
    """Up to `EXAMPLES` gold mentions of `label`, the oldest with words of their own; one query,
    which brings of each text only what is shown."""
    found = Mention.objects.accepted().filter(
        label=label,
        document__status=Document.Status.GOLD,
        end__lte=F("start") + LONGEST,
    )
    # One character more than is shown on either side: white space there means that no word is cut.
    near = Substr(
        "document__text", Greatest(F("start") - MARGIN, Value(1)), LONGEST + 2 * MARGIN + 2
    )
    rows = found.order_by("pk").values_list("start", "end", near)[:LOOKED_AT]
    different: dict[str, Example] = {}
    for start, end, text in rows:
        first = min(start, MARGIN + 1)
        last = first + end - start
        example = Example(*on_its_line(text[: last + MARGIN + 1], first, last))
        different.setdefault(example.surface.casefold(), example)
    return [*itertools.islice(different.values(), EXAMPLES)]


class GuidelinesForm(forms.Form):
    """What managers may change of them: all but the names of the labels, by which files and models
    know them."""

    guidelines = forms.CharField(
        required=False,
        max_length=GUIDELINES_LIMIT,
        label="Guidelines",
        widget=forms.Textarea(attrs={"rows": 16}),
    )

    def __init__(self, project: Project, data: Any = None) -> None:
        self.project = project
        self.labels = list(project.labels.all())
        described = {_name(label): label.description for label in self.labels}
        super().__init__(data, initial={"guidelines": project.guidelines} | described)
        for label in self.labels:
            self.fields[_name(label)] = forms.CharField(
                required=False,
                max_length=DESCRIPTION_LIMIT,
                label=label.name,
                widget=forms.Textarea(attrs={"rows": 2}),
            )

    @property
    def descriptions(self) -> Iterator[tuple[Label, forms.BoundField]]:
        return ((label, self[_name(label)]) for label in self.labels)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, text in list(cleaned.items()):
            # A browser ends lines by \r\n; in a description there are none.
            as_lines = text.replace("\r\n", "\n")
            cleaned[name] = as_lines if name == "guidelines" else " ".join(text.split())
            if UNSTORABLE.search(as_lines):
                self.add_error(name, ValidationError("This holds a control character."))
        return cleaned

    def save(self) -> None:
        """The LLM has answered no question in other descriptions yet. Suggestions are not rebuilt
        for that: all that it said would be gone at once, be it for a comma."""
        with transaction.atomic():
            self.project.guidelines = self.cleaned_data["guidelines"]
            self.project.save(update_fields=["guidelines"])
            for label in self.labels:
                label.description = self.cleaned_data[_name(label)]
            Label.objects.bulk_update(self.labels, ["description"])


def _name(label: Label) -> str:
    return f"label-{label.pk}"

"""The forms of the pages."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from mlworker import schema

from . import formats
from .asked import own_llm, set_up
from .languages import LANGUAGES
from .models import Document, Price, Project, Prompt, User
from .presets import PRESETS
from .projects import check_labels, create_project, read_labels
from .prompts import MOST_SHOTS, check_text, make

NAME_LIMIT = 64
ROWS = 4
"""Empty rows for labels that a fresh form shows."""


class LabelRow(forms.Form):
    name = forms.CharField(max_length=NAME_LIMIT, required=False, label="Name")
    description = forms.CharField(max_length=500, required=False, label="What it means")


LabelRows = forms.formset_factory(LabelRow, extra=ROWS, max_num=100)


class ProjectForm(forms.Form):
    """A new project. Its labels come from the rows beside it, or from the pasted text."""

    name = forms.CharField(max_length=100, label="Name")
    preset = forms.ChoiceField(
        required=False, label="Known label sets", choices=[("", "None"), *PRESETS.items()]
    )
    pasted = forms.CharField(
        required=False, label="Or paste labels as YAML or JSON", widget=forms.Textarea
    )
    language = forms.ChoiceField(
        label="Language", choices=list(LANGUAGES.items()), initial=schema.DEFAULT_LANGUAGE
    )
    provider = forms.ChoiceField(label="LLM", required=False)

    def __init__(self, *args: Any, rows: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = rows
        provider = self.fields["provider"]
        if isinstance(provider, forms.ChoiceField):
            provider.choices = provider_choices(None)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        if Project.objects.filter(name=name).exists():
            raise ValidationError("A project of this name exists already.")
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.rows.is_valid():
            raise ValidationError("Look at the labels again.")
        pasted = cleaned.get("pasted", "").strip()
        cleaned["labels"] = read_labels(pasted, "Pasted labels") if pasted else self._typed()
        return cleaned

    def _typed(self) -> list[schema.Label]:
        rows = [row.cleaned_data for row in self.rows.forms if row.cleaned_data.get("name")]
        labels = [schema.Label(row["name"].strip(), row["description"].strip()) for row in rows]
        check_labels(labels)
        return labels

    def save(self, owner: User) -> Project:
        given = self.cleaned_data
        return create_project(
            given["name"],
            given["labels"],
            owner=owner,
            language=given["language"],
            provider=given["provider"],
        )


def provider_choices(project: Project | None) -> list[tuple[str, str]]:
    """The LLMs that can be chosen here: recorded answers only where the project has some."""
    names = {
        Project.Provider.OPENAI: settings.LLM_MODEL or "The LLM server",
        Project.Provider.TRANSFORMERS: f"{own_llm()}, on this installation's own machine",
    }
    choices = [(Project.Provider.NONE.value, "No LLM")]
    choices += [(provider.value, names[provider]) for provider in set_up()]
    if project is not None and project.recording:
        choices.append((Project.Provider.RECORDED.value, Project.Provider.RECORDED.label))
    return choices


class LearningForm(forms.ModelForm):  # type: ignore[type-arg]
    """How a project's model reads, learns, and says what it is unsure of."""

    language = forms.ChoiceField(
        choices=list(LANGUAGES.items()),
        help_text="By whose rules documents are cut into sentences and words, from the next "
        "tagging on. Corpora that came with words keep them.",
    )

    class Meta:
        model = Project
        fields = (
            "language",
            "overlap",
            "head",
            "method",
            "candidates_per_100",
            "questions_per_100",
        )
        labels: ClassVar[dict[str, str]] = {
            "overlap": "Mentions may overlap",
            "head": "Head",
            "method": "Uncertainty",
            "candidates_per_100": "Candidates per 100 sentences",
            "questions_per_100": "Questions per 100 documents, at most",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "overlap": "People may mark mentions inside each other, or across. CoNLL carries only "
            "the longer one, and says what it leaves out; of two labels on the same words the "
            "model learns one.",
            "head": "What the next training makes of the model. An evidential head also says how "
            "much it knows; a softmax head is what most papers compare with.",
            "method": "How unsure a span is. With another one every document that is not gold is "
            "read again, and τ is found anew.",
            "candidates_per_100": "How many spans that the model calls no entity, but not surely, "
            "may be asked about.",
            "questions_per_100": "With a number, τ is set so that no more spans are routed. "
            "Candidates count too, but are never left out for it: ask for fewer above. Empty: τ "
            "follows from held-out gold.",
        }


class LLMForm(forms.Form):
    provider = forms.ChoiceField(required=False, widget=forms.RadioSelect, label="LLM")
    monthly_budget = forms.DecimalField(
        required=False, min_value=0, max_digits=10, decimal_places=2, label="At most a month"
    )

    def __init__(self, project: Project, data: Any = None) -> None:
        initial = {"provider": project.provider, "monthly_budget": project.monthly_budget}
        super().__init__(data, initial=initial)
        provider = self.fields["provider"]
        if isinstance(provider, forms.ChoiceField):
            provider.choices = provider_choices(project)


class ReadingForm(forms.ModelForm):  # type: ignore[type-arg]
    """How much the LLM reads whole, and what is made of all that is known of a span."""

    sure = forms.FloatField(
        min_value=50,
        max_value=100,
        label="You are asked below this certainty, in percent",
        help_text="How probably a label that was weighed is right, so that nobody has to look.",
    )

    class Meta:
        model = Project
        fields = ("sweep_share", "fusion", "sure")
        labels: ClassVar[dict[str, str]] = {
            "sweep_share": "Percent of the sentences that it reads whole"
        }
        widgets: ClassVar[dict[str, Any]] = {"fusion": forms.RadioSelect}

    def __init__(self, project: Project, data: Any = None) -> None:
        percents = {"sure": f"{100 * project.sure:g}", "sweep_share": f"{project.sweep_share:g}"}
        super().__init__(data, instance=project, initial=percents)
        if not project.asks_server:
            del self.fields["sweep_share"]

    def clean_sure(self) -> float:
        percent: float = self.cleaned_data["sure"]
        return percent / 100


class PromptForm(forms.Form):
    """A changed prompt; what its form is follows from the one that it was begun with."""

    form = forms.ChoiceField(choices=Prompt.Form.choices, widget=forms.HiddenInput)
    text = forms.CharField(
        required=False, strip=False, widget=forms.Textarea(attrs={"rows": 18}), label="Instructions"
    )
    shots = forms.ChoiceField(
        choices=[(way.value, way.label) for way in (Prompt.Shots.RANDOM, Prompt.Shots.NEAREST)],
        label="Examples",
    )
    per_label = forms.IntegerField(
        min_value=0,
        max_value=MOST_SHOTS,
        initial=0,
        label="How many of each label, or for each span",
    )

    def clean_text(self) -> str:
        # A browser ends lines by \r\n, which would be other words than those it was shown.
        text: str = self.cleaned_data["text"].replace("\r\n", "\n").strip()
        check_text(text)
        return text

    def save(self, project: Project, user: User) -> Prompt | None:
        """The prompt; None where it is refused, with the reason at its field."""
        try:
            return make(project, user, **self.cleaned_data)
        except ValidationError as refusal:
            self.add_error(None, refusal)
            return None


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a model's tokens cost from a day on."""

    class Meta:
        model = Price
        fields = ("model", "since", "prompt", "completion")
        labels: ClassVar[dict[str, str]] = {
            "model": "Model",
            "since": "From this day on",
            "prompt": "A million tokens of prompts",
            "completion": "A million tokens of answers",
        }
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "since": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        }
        error_messages: ClassVar[dict[str, dict[str, str]]] = {
            NON_FIELD_ERRORS: {
                "unique_together": "This model has a price from this day on already. Remove that "
                "one first, or choose another day."
            }
        }


SPLITS = [
    ("none", "Let Spanlight choose what to learn from and what to measure on"),
    ("train", "To learn from"),
    ("dev", "To measure on, never to learn from"),
    ("test", "For a test at the very end"),
]


class UploadForm(forms.Form):
    file = forms.FileField(label="File", allow_empty_file=True)
    format = forms.ChoiceField(required=False, label="Format")
    text_column = forms.CharField(required=False, max_length=100, label="Text column")
    gold = forms.BooleanField(required=False, label="The mentions in it are gold")
    split = forms.ChoiceField(required=False, label="What gold is for", choices=SPLITS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["format"]
        if isinstance(chosen, forms.ChoiceField):
            titled = [(name, formats.title(name)) for name in formats.FORMATS]
            chosen.choices = [("", "Recognise it"), *titled]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_LIMIT:
            limit = settings.UPLOAD_LIMIT // 1_000_000
            raise ValidationError(f"{file.name} is larger than {limit} MB. Split it into parts.")
        return file

    def clean_split(self) -> str:
        return self.cleaned_data["split"] or Document.Split.NONE

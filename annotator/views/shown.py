"""A mention as pages show it, beside what the review page draws itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from annotator.models import Label, Mention, Project, Question
from mlworker.schema import NO_ENTITY

DIGITS = "1234567890"
"""The keys that label, in order of the labels."""


@dataclass(frozen=True)
class Choice:
    """A label as a button, with its digit where there is one left."""

    label: Label
    key: str


def choices(project: Project) -> list[Choice]:
    return [
        Choice(label, DIGITS[n] if n < len(DIGITS) else "")
        for n, label in enumerate(project.labels.all())
    ]


@dataclass(frozen=True)
class Bar:
    """One label's probability, as `name`, `percent`, and its colour (None: no entity)."""

    name: str
    percent: float
    colour: int | None


@dataclass(frozen=True)
class Shown:
    """Wraps a mention, adding what is said of it."""

    mention: Mention

    @property
    def pk(self) -> int:
        return int(self.mention.pk)

    @property
    def start(self) -> int:
        return self.mention.start

    @property
    def end(self) -> int:
        return self.mention.end

    @property
    def surface(self) -> str:
        return self.mention.surface

    @property
    def label(self) -> str:
        return self.mention.label.name

    @property
    def colour(self) -> int:
        return self.mention.label.colour

    @property
    def needs(self) -> bool:
        return self.is_open and self.mention.needs_person

    @property
    def is_open(self) -> bool:
        return self.mention.state == Mention.State.SUGGESTED

    @property
    def state(self) -> str:
        """accepted, rejected, maybe or suggested: each has a look of its own."""
        return "maybe" if self.is_open and self.mention.maybe else str(self.mention.state)

    @cached_property
    def uncertainty(self) -> float | None:
        prediction = self.mention.prediction
        return prediction.uncertainty if prediction else None

    @property
    def doubt(self) -> str:
        """The uncertainty as `.42`, also where it no longer matters; empty where none is known."""
        return "" if self.uncertainty is None else f"{self.uncertainty:.2f}".removeprefix("0")

    @property
    def right(self) -> float | None:
        """How probably the machine's last word is right, where that is known and still matters."""
        return self.mention.right if self.is_open else None

    @property
    def right_percent(self) -> str:
        return "" if self.right is None else f"{100 * self.right:.0f}"

    @property
    def last_word(self) -> str:
        """What the machine says this is."""
        return "not an entity" if self.mention.maybe else self.label

    @property
    def is_proposal(self) -> bool:
        """Whether nobody but the LLM found it."""
        return self.mention.source == Mention.Source.SWEEP

    @property
    def source(self) -> str:
        return str(self.mention.get_source_display())

    @property
    def question(self) -> Question | None:
        return self.mention.question

    @property
    def route(self) -> list[str]:
        """Where the span went, in order; a person who decided it came last."""
        if self.uncertainty is None and not self.is_proposal:
            return []
        stations = [] if self.uncertainty is None else ["local model"]
        stations += ["LLM"] if self.question or self.is_proposal else []
        decided = self.mention.state != Mention.State.SUGGESTED
        return stations + (["you"] if self.mention.needs_person or decided else [])

    @cached_property
    def bars(self) -> list[Bar]:
        """The local model's probabilities, the likeliest first, small ones left out."""
        prediction = self.mention.prediction
        if prediction is None:
            return []
        labels = self.mention.document.project.labels.all()
        colours = {label.name: label.colour for label in labels}
        ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
        return [
            Bar("no entity" if name == NO_ENTITY else name, round(100 * p, 1), colours.get(name))
            for name, p in ranked[:4]
            if p >= 0.005
        ]

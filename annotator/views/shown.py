"""A mention as the review page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from annotator.models import Label, Mention, Project, Question
from mlworker.schema import NO_ENTITY

DIGITS = "1234567890"
"""The keys that label, in order of the labels."""
SIGNS = {
    Mention.Source.LOCAL: "model",
    Mention.Source.LLM: "LLM",
    Mention.Source.PERSON: "you",
    Mention.Source.IMPORT: "file",
    Mention.Source.SWEEP: "found by LLM",
}


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
    """Wraps a mention, adding what it looks like and how it is read out."""

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
    def number(self) -> str:
        """The uncertainty as `.42`; empty where none is known or it no longer matters."""
        return self.doubt if self.is_open else ""

    @property
    def doubt(self) -> str:
        """The uncertainty as `.42`, also where it no longer matters; empty where none is known."""
        return "" if self.uncertainty is None else f"{self.uncertainty:.2f}".removeprefix("0")

    @property
    def light(self) -> int:
        """How far the span is lit, 0…10: fully once a person decided, else by certainty."""
        if not self.is_open:
            return 10
        if self.right is not None:
            return round(10 * self.right)
        if self.is_proposal:
            return 0
        return 10 if self.uncertainty is None else round(10 * (1 - self.uncertainty))

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
    def sign(self) -> str:
        """The source as a short word on the page."""
        return SIGNS[Mention.Source(self.mention.source)]

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

    @property
    def said(self) -> str:
        """How the mention is read out."""
        state = {
            "accepted": f"{self.label}, decided",
            "rejected": f"not {self.label}, rejected",
            "maybe": f"perhaps {self.label}",
            "suggested": f"{self.label}, suggested by {self.source}",
        }[self.state]
        parts = [self.surface, state]
        parts += ["found by the LLM reading the sentence"] if self.is_proposal else []
        parts += [f"uncertainty {self.number}"] if self.number else []
        parts += ["needs you"] if self.needs else []
        return ", ".join(parts)


def pick(mentions: list[Shown], wanted: int | None) -> Shown | None:
    """The mention to put in focus: the wanted one, else the first that needs a person, is open,
    or is there at all."""
    order = (
        [m for m in mentions if m.pk == wanted],
        [m for m in mentions if m.needs],
        [m for m in mentions if m.is_open],
        mentions,
    )
    return next((group[0] for group in order if group), None)


def next_needing(mentions: list[Shown], start: int, end: int) -> int | None:
    """The mention that needs a person next after `[start, end)`, going round; the mention at
    that very span where none does."""
    needing = [m for m in mentions if m.needs]
    later = [m for m in needing if (m.start, m.end) > (start, end)]
    here = [m for m in mentions if (m.start, m.end) == (start, end)]
    return next((m.pk for m in [*later, *needing, *here]), None)

"""What is known of spans before they are decided, and what checked ones teach."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from mlworker.schema.message import Message
from mlworker.schema.scores import Scores
from mlworker.schema.tagging import Lane
from mlworker.schema.texts import NO_ENTITY, Mention


@dataclass(frozen=True)
class Evidence(Message):
    """What is known of one span before it is decided.

    `label` is the local model's best one, of a proposal the sweep's, and `probabilities` are the
    local model's, empty where they are too small to be kept. `answer` is what the LLM said when it
    was asked about the span, with its probability where it gave one (`reason` says why it said
    nothing); `found` what it said of it when it read the sentence. Both are a label's name,
    `NO_ENTITY`, or None where it was not asked, or has not read the sentence.
    """

    start: int
    end: int
    lane: Lane
    label: str
    uncertainty: float
    probabilities: dict[str, float]
    answer: str | None = None
    answer_probability: float | None = None
    found: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Turn(Message):
    """A sentence that the LLM has read; `share` is how many percent of all sentences, the riskiest
    first, have to be read until its turn comes."""

    start: int
    end: int
    share: float


@dataclass(frozen=True)
class Audited(Message):
    """A document that people checked: what was known of its spans, its gold, and which of its
    sentences were read."""

    evidence: list[Evidence]
    gold: list[Mention]
    read: list[Turn] = field(default_factory=list)

    def right(self, span: Evidence) -> str:
        """The label that `span` has in gold, or `NO_ENTITY`."""
        return self._labels.get((span.start, span.end), NO_ENTITY)

    @cached_property
    def _labels(self) -> dict[tuple[int, int], str]:
        return {(m.start, m.end): m.label for m in self.gold}


@dataclass(frozen=True)
class Pool(Message):
    """Learned weights of what speaks for a label (see `fusion`), and the probability of being an
    entity from which on a span is taken for one; `spans` is how many it was learned from."""

    labels: list[str]
    weights: dict[str, float]
    cut: float
    spans: int


class Route(StrEnum):
    """A way of using the LLM, or of doing without it."""

    LOCAL = "local"
    """The local model alone."""
    REPLACE = "replace"
    """Routed spans asked about, fused by the paper's rule."""
    POOL = "pool"
    """Routed spans asked about, all that is known of them weighed."""
    SWEEP = "sweep"
    """The LLM alone, reading sentences."""
    BOTH = "both"
    """Routed spans asked about and sentences read, all that is known of a span weighed."""


@dataclass(frozen=True)
class Point(Message):
    """What a route finds in checked documents, reading `share` percent of the sentences.

    `questions` and `sentences` are how many of each it put to the LLM. `lead` is by how many points
    its F1 exceeds that of asking about routed spans, `low` and `high` where that lies in 95 % of
    resamples of the documents; 0 where nothing was asked.
    """

    route: Route
    share: float
    scores: Scores
    questions: int
    sentences: int
    lead: float = 0.0
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Frontier(Message):
    """What the LLM could find, by route; `gold` is how many mentions the documents hold."""

    documents: int
    gold: int
    points: list[Point]

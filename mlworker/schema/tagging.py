"""What a model version says of documents, and how that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlworker.schema.message import Message, Work
from mlworker.schema.texts import Text

NEAREST = 3
"""How many of the gold mentions most like a span a model version names."""


class Method(StrEnum):
    """How the uncertainty of a span is measured."""

    LEAST_CONFIDENCE = "least_confidence"
    ENTROPY = "entropy"
    MC_DROPOUT = "mc_dropout"
    EVIDENTIAL = "evidential"


class Lane(StrEnum):
    """Why a span is looked at: predicted as a mention, "no entity" but not surely, or found by the
    LLM alone when it read the sentence."""

    MENTION = "mention"
    CANDIDATE = "candidate"
    PROPOSAL = "proposal"


class Routing(StrEnum):
    """Who decides a span: the local model alone, the LLM, or a person."""

    ACCEPT = "accept"
    LLM = "llm"
    HUMAN = "human"


@dataclass(frozen=True)
class Neighbour(Message):
    """A gold mention of the text `text` (its id), and how like a span the model finds it:
    a cosine, at most 1."""

    text: int
    start: int
    end: int
    label: str
    similarity: float


@dataclass(frozen=True)
class ScoredSpan(Message):
    """What a model version says about one span.

    `label` is the best label that is an entity, in both lanes; `probabilities` maps every label
    and `NO_ENTITY` to its probability; `sentence_start`/`sentence_end` bound the sentence that
    holds the span, which is all that an LLM is ever shown. `nearest` are the most similar gold
    mentions that the version was trained on: evidence for whoever decides, never a verdict.
    """

    start: int
    end: int
    label: str
    lane: Lane
    probabilities: dict[str, float]
    uncertainty: float
    sentence_start: int
    sentence_end: int
    nearest: list[Neighbour] = field(default_factory=list)


@dataclass(frozen=True)
class Faint(Message):
    """A span that is neither predicted nor a candidate: `probabilities` are of `NO_ENTITY` and then
    of the version's labels, in their order."""

    start: int
    end: int
    probabilities: list[float]


@dataclass(frozen=True)
class ReadSentence(Message):
    """A sentence of a text; `missed` is how many mentions the model expects it has overlooked."""

    start: int
    end: int
    missed: float


@dataclass(frozen=True)
class TaggedText(Message):
    id: int
    spans: list[ScoredSpan]
    sentences: list[ReadSentence] = field(default_factory=list)
    faint: list[Faint] = field(default_factory=list)


@dataclass(frozen=True)
class TagRequest(Work):
    """Candidates are routed within the budget of so many per 100 sentences, and only those whose
    entity mass 1 - p(O) reaches `candidate_floor`."""

    model: str
    method: Method
    texts: list[Text]
    candidates_per_100: float = 20.0
    candidate_floor: float = 0.0


@dataclass(frozen=True)
class TagResult(Work):
    texts: list[TaggedText]


@dataclass(frozen=True)
class SplitRequest(Work):
    texts: list[Text]


@dataclass(frozen=True)
class SplitResult(Work):
    """Where the sentences of each text are; nothing else is known of it yet."""

    texts: list[TaggedText]

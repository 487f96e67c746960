"""Choosing the threshold τ, and learning fusion, from checked spans."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlworker.schema.evidence import Audited, Frontier, Pool
from mlworker.schema.message import Message, Work


@dataclass(frozen=True)
class HeldOut(Message):
    """A held-out span: how unsure the local model was, and who was right about it.

    `llm_correct` is None where the LLM has not answered.
    """

    uncertainty: float
    local_correct: bool
    llm_correct: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.uncertainty <= 1:
            raise ValueError(f"an uncertainty of {self.uncertainty} is not between 0 and 1")


@dataclass(frozen=True)
class CandidateOutcome(Message):
    """A candidate that was looked at: its entity mass 1 - p(O), and whether it is a mention."""

    mass: float
    is_mention: bool


@dataclass(frozen=True)
class Interval(Message):
    """Accuracy of local model and LLM over the spans with `low` < uncertainty ≤ `high`."""

    low: float
    high: float
    spans: int
    local_accuracy: float | None
    asked: int
    llm_accuracy: float | None


@dataclass(frozen=True)
class Calibration(Message):
    """A threshold and the evidence it rests on (LinkNER §5.3, Fig. 5).

    `low` and `high` bound τ in 95 % of bootstrap samples of the held-out spans (None where there
    are too few to say). Candidates below the entity mass `candidate_floor` are not worth asking.
    `from_answers` says whether enough of them had an answer of the LLM for τ to rest on these.
    """

    tau: float
    intervals: list[Interval]
    note: str
    low: float | None = None
    high: float | None = None
    candidate_floor: float = 0.0
    from_answers: bool = False


@dataclass(frozen=True)
class CalibrateRequest(Work):
    """`audited` is what τ is chosen from, and fusion, of these `labels`, learned. `shares` are the
    percentages of the sentences of `audited` that were read far enough to be judged."""

    audited: list[Audited]
    labels: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class CalibrateResult(Work):
    calibration: Calibration
    pool: Pool | None = None
    frontier: Frontier | None = None

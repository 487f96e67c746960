"""The label that follows from the local model and the LLM, and who must look (pure).

The rule is the paper's (LinkNER §4.3): where a span is routed, the LLM's label replaces the local
one. People look wherever the two disagree or the LLM gave no answer. This lives here and not in
`mlworker`, because it is applied again whenever an answer, τ or a decision changes, long after
the model has run.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlworker.schema import NO_ENTITY, Lane, Routing


@dataclass(frozen=True)
class Doubt:
    """What is known of one predicted span. `answer` is None while the LLM has given none, and
    `reason` then says why; `asked` is whether the LLM is to answer at all."""

    lane: Lane
    label: str
    uncertainty: float
    tau: float
    asked: bool = False
    answer: str | None = None
    reason: str = ""

    @property
    def routed(self) -> bool:
        return self.lane == Lane.CANDIDATE or self.uncertainty > self.tau


@dataclass(frozen=True)
class Fused:
    """`label` is the machine's last word (None: no mention here); `shown` is the label that a
    person is shown, None where there is nothing to show."""

    label: str | None
    shown: str | None
    source: str
    routing: Routing
    reason: str = ""


def fuse(doubt: Doubt) -> Fused:
    """The fused label of one span. A missing answer never turns a mention into "no entity"."""
    local = doubt.label if doubt.lane == Lane.MENTION else None
    if not doubt.routed:
        return Fused(local, local, "local", Routing.ACCEPT)
    if doubt.answer is None:
        return Fused(local, doubt.label, "local", Routing.HUMAN, _why_unanswered(doubt))
    answer = None if doubt.answer == NO_ENTITY else doubt.answer
    if answer == local:
        return Fused(local, local, "llm", Routing.LLM)
    if answer is None:
        reason = f"The local model says {doubt.label}; the LLM says this is not an entity."
        return Fused(None, doubt.label, "local", Routing.HUMAN, reason)
    said = f"says {local}" if local else "sees no entity"
    reason = f"The local model {said}; the LLM says {answer}."
    return Fused(answer, answer, "llm", Routing.HUMAN, reason)


def _why_unanswered(doubt: Doubt) -> str:
    doubtful = (
        f"The local model sees no entity, but {doubt.label} is possible."
        if doubt.lane == Lane.CANDIDATE
        else f"The local model is unsure (u {doubt.uncertainty:.2f} > τ {doubt.tau:.2f})."
    )
    if not doubt.asked:
        return doubtful
    return f"{doubtful} The LLM gave no answer: {doubt.reason or 'not asked yet'}."

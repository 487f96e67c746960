"""The label that follows from the local model and the LLM, and who must look (pure).

Two rules. `replace` is the paper's (LinkNER §4.3): where a span is routed, the LLM's label
replaces the local one, and people look wherever the two disagree or the LLM gave no answer. `pool`
weighs all that is known of a routed span, with weights learned from checked spans; people look
where the outcome is not probable enough. A span of which the LLM has said nothing, or of a kind
that no weights were learned for, is decided by `replace`.

Fusion is applied again whenever an answer, τ or a decision changes, long after the model has run,
so this module holds nothing but the standard library. The weights are learned in `pooling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mlworker.schema import NO_ENTITY, Evidence, Lane, Mention, Pool, Routing

FAINTEST = 1e-4
"""A probability below this is taken for this."""
USUAL_CONFIDENCE = 0.9
"""An answer of this probability says what answers say on average."""

Features = dict[str, float]

AGREEMENT = {
    ("this", "this"): "both",
    ("this", "nothing"): "question alone",
    ("nothing", "this"): "sweep alone",
}


@dataclass(frozen=True)
class Rules:
    """By what a project decides: `asks` is whether an LLM is to answer; without a `pool` the
    paper's rule holds; a person looks where a pooled outcome is right with a probability below
    `sure`."""

    tau: float
    asks: bool = False
    pool: Pool | None = None
    sure: float = 0.8


@dataclass(frozen=True)
class Fused:
    """`label` is the machine's last word (None: no mention here); `shown` is the label that a
    person is shown, None where there is nothing to show; `right` is how probably `label` is right,
    where a pool says so."""

    label: str | None
    shown: str | None
    source: str
    routing: Routing
    reason: str = ""
    right: float | None = None


HIDDEN = Fused(None, None, "local", Routing.LLM)
"""What overlaps a span that is more probably a mention."""


class Scored(Protocol):
    """A span of which it is known why it is looked at, and how unsure it is."""

    @property
    def lane(self) -> Lane: ...
    @property
    def uncertainty(self) -> float: ...


def is_routed(span: Scored, tau: float) -> bool:
    """Whether τ routes it; what only a candidate is, or a proposal, always is."""
    return span.lane is not Lane.MENTION or span.uncertainty > tau


def is_weighed(evidence: Evidence, tau: float) -> bool:
    """Whether there is something to weigh: it is routed, and the LLM has said something of it.

    Spans that it left unanswered are no sample of those that it will: what is true of most of them
    would, of the next one, make a missing answer into a verdict.
    """
    said = evidence.answer is not None or evidence.found is not None
    return said and is_routed(evidence, tau)


def fuse(spans: Sequence[Evidence], rules: Rules) -> list[Fused]:
    """An outcome for each span of one document; those with a label do not overlap.

    A missing answer by itself never turns a mention into "no entity".
    """
    pooled = [_pooled(span, rules) for span in spans]
    fused = [
        _replaced(span, rules) if likely is None else _weighed(span, likely, rules)
        for span, likely in zip(spans, pooled, strict=True)
    ]

    def precedence(i: int) -> tuple[bool, bool, float]:
        likely = pooled[i]
        mass = 1.0 if likely is None else 1 - likely[NO_ENTITY]
        return fused[i].label is None, likely is None and spans[i].lane is Lane.PROPOSAL, -mass

    return _apart(spans, fused, sorted(range(len(spans)), key=precedence))


def mentions(spans: Sequence[Evidence], rules: Rules) -> list[Mention]:
    """What `fuse` takes for mentions of one document."""
    fused = zip(spans, fuse(spans, rules), strict=True)
    return [Mention(s.start, s.end, f.label) for s, f in fused if f.label is not None]


def _apart(spans: Sequence[Evidence], fused: list[Fused], order: Sequence[int]) -> list[Fused]:
    """`fused` without what overlaps something shown that comes before it in `order`."""
    used: list[Evidence] = []
    for i in order:
        if fused[i].shown is None:
            continue
        if any(spans[i].start < other.end and other.start < spans[i].end for other in used):
            fused[i] = HIDDEN
        else:
            used.append(spans[i])
    return fused


# --- The paper's rule --------------------------------------------------------------------------
def _replaced(span: Evidence, rules: Rules) -> Fused:
    local = span.label if span.lane is Lane.MENTION else None
    if not is_routed(span, rules.tau):
        return Fused(local, local, "local", Routing.ACCEPT)
    if span.lane is Lane.PROPOSAL:
        reason = f"Reading the whole sentence, the LLM found this {span.label}; nobody else did."
        return Fused(None, span.label, "sweep", Routing.HUMAN, reason)
    if span.answer is None:
        return Fused(local, span.label, "local", Routing.HUMAN, _why_unanswered(span, rules))
    answer = None if span.answer == NO_ENTITY else span.answer
    if answer == local:
        return Fused(local, local, "llm", Routing.LLM)
    if answer is None:
        reason = f"The local model says {span.label}; the LLM says this is not an entity."
        return Fused(None, span.label, "local", Routing.HUMAN, reason)
    said = f"says {local}" if local else "sees no entity"
    reason = f"The local model {said}; the LLM says {answer}."
    return Fused(answer, answer, "llm", Routing.HUMAN, reason)


def _why_unanswered(span: Evidence, rules: Rules) -> str:
    doubtful = (
        f"The local model sees no entity, but {span.label} is possible."
        if span.lane is Lane.CANDIDATE
        else f"The local model is unsure: u = {span.uncertainty:.2f}, above τ = {rules.tau:.2f}."
    )
    if not rules.asks:
        return doubtful
    return f"{doubtful} The LLM gave no answer: {span.reason or 'not asked yet'}."


# --- Pooling -----------------------------------------------------------------------------------
def _pooled(span: Evidence, rules: Rules) -> dict[str, float] | None:
    """The probability of each label; None where `replace` decides."""
    if rules.pool is None or not is_weighed(span, rules.tau):
        return None
    rows = [features(span, label) for label in rules.pool.labels]
    if not all(
        name in rules.pool.weights for row in rows for name in row if name not in AGREEMENT.values()
    ):
        return None
    return chances(rows, rules.pool)


def chances(rows: Sequence[Features], pool: Pool) -> dict[str, float]:
    """The probability of each label and of `NO_ENTITY`, from the features of each label: softmax of
    the weighted sums, that of "no entity" being 0."""
    sums = [sum(pool.weights.get(name, 0.0) * value for name, value in row.items()) for row in rows]
    top = max([0.0, *sums])
    raised = [math.exp(value - top) for value in sums]
    total = math.exp(-top) + sum(raised)
    found = {label: value / total for label, value in zip(pool.labels, raised, strict=True)}
    return found | {NO_ENTITY: math.exp(-top) / total}


def features(span: Evidence, label: str) -> Features:
    """What speaks for `span` being a `label` rather than no entity; the same in learning and use.

    The local model by its log-odds of the label against no entity; the question and the sweep each
    by what it said: this label, another, none, or that it was not made; and whether the two agree.
    """
    local = max(span.probabilities.get(label, 0.0), FAINTEST)
    nothing = max(span.probabilities.get(NO_ENTITY, 1.0), FAINTEST)
    asked, swept = _said(span.answer, label), _said(span.found, label)
    out = {
        "entity": 1.0,
        f"label {label}": 1.0,
        "local": math.log(local / nothing),
        f"question {asked}": 1.0,
        f"sweep {swept}": 1.0,
    }
    if (asked, swept) in AGREEMENT:
        out[AGREEMENT[asked, swept]] = 1.0
    if span.answer is not None and span.answer_probability is not None:
        out[f"question {asked}, confidence"] = _confidence(span.answer_probability)
    return out


def _said(what: str | None, label: str) -> str:
    if what is None:
        return "unasked"
    if what == NO_ENTITY:
        return "nothing"
    return "this" if what == label else "another"


def _confidence(probability: float) -> float:
    """Log-odds against those of `USUAL_CONFIDENCE`."""
    return _logit(probability) - _logit(USUAL_CONFIDENCE)


def _logit(probability: float) -> float:
    inside = min(max(probability, FAINTEST), 1 - FAINTEST)
    return math.log(inside / (1 - inside))


def _weighed(span: Evidence, likely: dict[str, float], rules: Rules) -> Fused:
    if rules.pool is None:
        raise ValueError("without a pool nothing is weighed")
    best = max((label for label in likely if label != NO_ENTITY), key=lambda name: likely[name])
    nothing = likely[NO_ENTITY]
    label = best if 1 - nothing >= rules.pool.cut else None
    right = likely[label or NO_ENTITY]
    if right >= rules.sure:
        return Fused(label, label, _source(span, label), Routing.LLM, right=right)
    reason = f"{_views(span)} Together: {best} {likely[best]:.0%}, no entity {nothing:.0%}."
    return Fused(label, best, _source(span, best), Routing.HUMAN, reason, right)


def _source(span: Evidence, label: str | None) -> str:
    if span.lane is Lane.PROPOSAL:
        return "sweep"
    local = span.label if span.lane is Lane.MENTION else None
    return "local" if label == local and span.answer != label else "llm"


def _views(span: Evidence) -> str:
    """What each has to say of the span."""
    local = span.label if span.lane is Lane.MENTION else "no entity"
    views = [f"the local model says {local}"]
    if span.answer is not None:
        views.append(f"asked, the LLM says {_plain(span.answer)}")
    elif span.reason:
        views.append(f"the LLM gave no answer: {span.reason}")
    if span.found is not None:
        views.append(f"reading the sentence, it says {_plain(span.found)}")
    text = "; ".join(views)
    return f"{text[0].upper()}{text[1:]}."


def _plain(label: str) -> str:
    return "no entity" if label == NO_ENTITY else label

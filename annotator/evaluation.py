"""Local, LLM and fused labels of the serving version, counted against gold."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mlworker.fusion import is_routed
from mlworker.schema import NO_ENTITY, Evidence, Lane, Mention, Scores

from . import gold
from .models import Document, Project
from .refusals import Impossible
from .suggestions import BATCH, Basis

Placed = tuple[int, Mention]
"""A mention and the document it is in."""


@dataclass
class Counted:
    documents: int = 0
    gold: set[Placed] = field(default_factory=set)
    local: set[Placed] = field(default_factory=set)
    llm: set[Placed] = field(default_factory=set)
    fused: set[Placed] = field(default_factory=set)
    routed: int = 0
    asked: int = 0


def evaluate(project: Project, split: str) -> dict[str, Any]:
    """Exact-match micro scores over the gold documents of `split`, in percent.

    `routed`: predicted spans and candidates that τ routes. `asked`: those of them that an LLM
    answered; `llm` scores its answers alone, and is None where there are none. Raises
    `Impossible` where there is no model, no gold in the split, or gold that is not tagged yet.
    """
    threshold = project.threshold()
    if project.serving is None or threshold is None:
        raise Impossible("There is no model yet; train one first.")
    counted = Counted()
    documents = gold.documents(project, split)
    while batch := list(islice(documents, BATCH)):
        basis = Basis.read(project, [document.pk for document in batch])
        if len(basis.known) < len(batch):
            raise Impossible(f"Some documents of “{split}” are not tagged yet; tag first.")
        for document in batch:
            _count(document, basis, counted)
    if not counted.documents:
        raise Impossible(f"There is no gold in the split “{split}”.")
    return {
        "project": project.name,
        "split": split,
        "documents": counted.documents,
        "gold": len(counted.gold),
        "model_version": project.serving.number,
        "method": project.method,
        "tau": threshold.tau,
        "routed": counted.routed,
        "asked": counted.asked,
        "local": Scores.count(counted.local, counted.gold).to_json(),
        "llm": Scores.count(counted.llm, counted.gold).to_json() if counted.asked else None,
        "fused": Scores.count(counted.fused, counted.gold).to_json(),
    }


def _count(document: Document, basis: Basis, counted: Counted) -> None:
    counted.documents += 1
    counted.gold |= {(document.pk, mention) for mention in gold.mentions_of(document)}
    for known, fused in basis.fused(document.pk):
        span = known.span

        def placed(label: str, at: Evidence = span) -> Placed:
            return document.pk, Mention(at.start, at.end, label)

        if span.lane == Lane.MENTION:
            counted.local.add(placed(span.label))
        if fused.label is not None:
            counted.fused.add(placed(fused.label))
        if span.lane == Lane.PROPOSAL or not is_routed(span, basis.rules.tau):
            continue
        counted.routed += 1
        counted.asked += span.answer is not None
        if span.answer not in (None, NO_ENTITY):
            counted.llm.add(placed(span.answer))

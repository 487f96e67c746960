"""How often people decide what the machine said, or what somebody decided before them.

A document has one set of mentions that all work on, so two people never decide blindly about the
same span: whoever decides sees what stands there. These shares are upper bounds for that reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Count, F, Max, Min, Q, QuerySet

from mlworker.schema import NO_ENTITY

from .bought import Share
from .history import DECIDING
from .models import Correction, Prediction, Project, Question

ENOUGH = 20
"""Of fewer decisions no share is shown."""
Action, Evidence = Correction.Action, Correction.Evidence
SAYS_IT_IS_ONE = ~Q(action=Action.REJECT)
Span = tuple[int, int]


@dataclass(frozen=True)
class Agreement:
    """How often decisions were what one source said. `own`: decided one by one; `confirmed`: left
    as shown until the document was submitted, which says less."""

    own: Share
    confirmed: Share


def with_local(project: Project) -> Agreement:
    """With the local model's label as it was predicted, or its "no entity" of a candidate."""
    said = Q(
        SAYS_IT_IS_ONE,
        prediction__lane=Prediction.Lane.MENTION,
        start=F("prediction__start"),
        end=F("prediction__end"),
        label=F("prediction__label"),
    ) | Q(action=Action.REJECT, prediction__lane=Prediction.Lane.CANDIDATE)
    # An older version's predictions are gone: their lane is not there to be compared.
    known = _decisions(project).filter(prediction__lane__in=Prediction.Lane.values)
    return _agreement(known, said)


def with_llm(project: Project) -> Agreement:
    """With what the LLM answered when it was asked about the span."""
    said = Q(
        SAYS_IT_IS_ONE,
        start=F("question__start"),
        end=F("question__end"),
        label__name=F("question__answer"),
    ) | Q(action=Action.REJECT, question__answer=NO_ENTITY)
    known = _decisions(project).filter(question__state=Question.State.ANSWERED)
    return _agreement(known, said)


def _decisions(project: Project) -> QuerySet[Correction]:
    found: QuerySet[Correction] = Correction.objects.standing().filter(
        document__project=project, action__in=DECIDING
    )
    return found.order_by()


def _agreement(known: QuerySet[Correction], said: Q) -> Agreement:
    rows = known.values("evidence").annotate(n=Count("pk"), agreed=Count("pk", said))
    shares = {row["evidence"]: Share(row["agreed"], row["n"]) for row in rows}
    return Agreement(
        shares.get(Evidence.DECISION, Share(0, 0)), shares.get(Evidence.SUBMIT, Share(0, 0))
    )


@dataclass(frozen=True)
class Act:
    """A correction as far as it says who takes over what from whom; without a label: rejected."""

    author: int
    action: str
    is_own: bool
    before: Span | None
    span: Span | None
    label: int | None


def with_earlier(project: Project) -> Share:
    """Of the spans that somebody decided one by one, in documents that somebody else submitted
    later: how many that person kept."""
    several = (
        _decisions(project)
        .values("document")
        .annotate(one=Min("author"), other=Max("author"))
        .filter(one__lt=F("other"))
    )
    rows = (
        Correction.objects.standing()
        .filter(document__in=several.values("document"), action__in=[*DECIDING, Action.SUBMIT])
        .order_by("document", "document_version", "created_at")
    )
    documents: dict[int, list[Act]] = {}
    for correction in rows.iterator():
        documents.setdefault(correction.document_id, []).append(_act(correction))
    kept = [kept_of(acts) for acts in documents.values()]
    return Share(sum(share.right for share in kept), sum(share.n for share in kept))


def _act(correction: Correction) -> Act:
    c = correction
    rejected = c.action == Action.REJECT
    return Act(
        author=c.author_id,
        action=c.action,
        is_own=c.evidence == Evidence.DECISION,
        before=_span(c.start_before, c.end_before),
        span=_span(c.start, c.end),
        label=None if rejected else c.label_id,
    )


def _span(start: int | None, end: int | None) -> Span | None:
    return None if start is None or end is None else (start, end)


@dataclass
class _Handed:
    """What stands in a document, as it goes from one person to the next."""

    decided: dict[Span, tuple[int, int | None]] = field(default_factory=dict)
    """A span to who decided it, and as what."""
    overturned: dict[int, int] = field(default_factory=dict)
    """How many decisions of others a person changed who has not submitted yet."""
    kept: int = 0
    lost: int = 0

    def decide(self, act: Act) -> None:
        at = act.before or act.span
        if at is None or act.span is None:
            return
        author, label = self.decided.get(at, (act.author, act.label))
        if author != act.author:
            if (at, label) == (act.span, act.label):
                return
            self.overturned[act.author] = self.overturned.get(act.author, 0) + 1
        self.decided.pop(at, None)
        if act.is_own:
            self.decided[act.span] = act.author, act.label

    def submit(self, act: Act) -> None:
        others = [span for span, (author, _) in self.decided.items() if author != act.author]
        self.kept += len(others)
        self.lost += self.overturned.pop(act.author, 0)
        for span in others:  # judged once
            del self.decided[span]


def kept_of(acts: Iterable[Act]) -> Share:
    """Of one document, its acts in order."""
    handed = _Handed()
    for act in acts:
        if act.action == Action.SUBMIT:
            handed.submit(act)
        else:
            handed.decide(act)
    return Share(handed.kept, handed.kept + handed.lost)

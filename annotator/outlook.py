"""What having a share of a project's sentences read would take, before anybody has it done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice

from django.conf import settings

from mlworker import schema

from . import spending, sweeping
from .asked import Asked
from .models import Project
from .sweeping import Sentence
from .swept import whom_sweeps


@dataclass(frozen=True)
class Outlook:
    """`sentences` may be read, `chosen` of them are the share, `left` of these are still to be
    read, which costs `most` at most (None: the model has no price). Where the sentences of
    `uncut` documents are is not known yet."""

    sentences: int
    chosen: int
    left: int
    most: Decimal | None
    uncut: int


def outlook(project: Project, percent: float) -> Outlook:
    """As if `percent` were the project's share."""
    ranked = sweeping.in_order(project)
    chosen = sweeping.share_of(ranked, percent)
    left = list(sweeping.unread(project, chosen))
    to = whom_sweeps(project)
    return Outlook(
        sentences=len(ranked),
        chosen=len(chosen),
        left=len(left),
        most=spending.most_for(to.model, _requests(project, to, left)),
        uncut=sweeping.uncut(project).count() if project.serving is None else 0,
    )


def _requests(
    project: Project, to: Asked, sentences: list[Sentence]
) -> Iterator[schema.AskRequest]:
    asked = sweeping.ask_to_read(project, to)
    passages = (schema.Passage(0, text) for _, text in sweeping.with_text(sentences))
    while piece := list(islice(passages, settings.CHUNK_SENTENCES)):
        yield replace(asked, passages=piece)

"""A project with something to see on each of its pages."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.db import transaction

from annotator import reliability
from annotator.models import Comment, Document, Job, Price, Project, User
from mlworker.schema import Frontier, Point, Route, Scores
from tests import factories

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    "forced colours": {"color_scheme": "dark", "forced_colors": "active"},
}
"""What a reader may have asked of their system, as Playwright has it."""
TEXT = (
    "Ada Lovelace met Bo in Oslo, and Cai in Rome.\n"
    "Bank of Oslo paid Dee. Eve paid nobody.\n"
    "رأت ليلى القمر في عمان."
)
LOCAL = Point(Route.LOCAL, 0, Scores(60.0, 60.0, 60.0), 0, 0, -10.0, -13.0, -7.0)
POOL = Point(Route.POOL, 0, Scores(72.0, 72.0, 72.0), 60, 0)
READ = Point(Route.BOTH, 25, Scores(75.0, 75.0, 75.0), 60, 90, 3.0, 0.5, 5.5)


@transaction.atomic
def make_project(owner: User) -> Project:
    """It learned, was measured, asked an LLM and has work under way; there is a document of each
    kind in it."""
    project = factories.make_project(
        "Letters", owner=owner, provider=Project.Provider.OPENAI, monthly_budget=Decimal(20)
    )
    project.guidelines = "Titles are no part of a name."
    project.sweep_share = 25
    _measured(project)
    project.save()
    _checked(project)
    _asked(project)
    make_document(project)
    for n in range(3):
        _repeated(project, n)
    factories.make_document(project, "Nobody read this yet.")
    factories.make_import(project)
    factories.make_prompt(project, shots="random", per_label=2)
    factories.make_job(project, total=200, done=40)
    factories.make_job(project, Job.Kind.TRAIN, state="failed", note="There is too little gold.")
    return project


def make_document(project: Project) -> Document:
    """With a mention in each state and from each source; two of them are nested."""
    document = factories.make_document(project, TEXT, name="letter 1")
    factories.make_mention(document, "Ada Lovelace", "person", state="accepted", source="person")
    bo = factories.make_doubt(document, "Bo", "person", 0.63)
    bo.question = factories.make_question(document, "Bo", "group", probability=0.8)
    bo.save()
    for surface, label, u in (("Oslo", "place", 0.41), ("ليلى", "person", 0.71)):
        factories.make_doubt(document, surface, label, u)
    sure = factories.make_prediction(document, "Cai", "person", uncertainty=0.08)
    factories.make_mention(document, "Cai", "person", prediction=sure)
    factories.make_mention(document, "Rome", "group", state="rejected", source="llm")
    factories.make_mention(document, "Bank of Oslo", "group", state="accepted", source="import")
    factories.make_mention(document, "Dee", "person", source="sweep", needs_person=True)
    factories.make_mention(document, "Eve", "person", source="llm", maybe=True)
    author = project.memberships.get().user
    about = {"start": TEXT.index("Bo"), "end": TEXT.index("Bo") + 2}
    Comment.objects.create(
        id=uuid.uuid4(), document=document, author=author, text="Which Bo?", **about
    )
    return document


def _repeated(project: Project, n: int) -> None:
    """What triage puts together."""
    document = factories.make_document(project, f"We saw Bergen in year {n}.")
    mention = factories.make_doubt(document, "Bergen", "person", 0.5)
    mention.question = factories.make_question(document, "Bergen", "place")
    mention.save()


def letter(project: Project) -> Document:
    """The document that `make_document` made in it."""
    found: Document = project.documents.get(name="letter 1")
    return found


def _measured(project: Project) -> None:
    factories.make_version(project, tau=0.4)
    threshold = project.threshold()
    assert threshold is not None
    interval = {"spans": 9, "local_accuracy": 0.5, "asked": 5, "llm_accuracy": 0.75}
    unasked = {"spans": 30, "local_accuracy": 0.9, "asked": 0, "llm_accuracy": None}
    threshold.intervals = [
        {"low": 0.2, "high": 0.4} | unasked,
        {"low": 0.4, "high": 0.6} | interval,
    ]
    threshold.frontier = Frontier(120, 480, [LOCAL, POOL, READ]).to_json()
    threshold.save()


def _checked(project: Project) -> None:
    """Gold to draw figures of."""
    for n in range(reliability.ENOUGH):
        document = factories.make_gold(project, f"{n} Ada.", ("Ada", "person"), split="dev")
        factories.make_prediction(document, "Ada", "person", uncertainty=n / 100)


def _asked(project: Project) -> None:
    """Requests of each outcome, one of them with what came back."""
    Price.objects.create(model=factories.MODEL, since="2020-01-01", prompt=1, completion=2)
    for state in ("sent", "failed", "unknown", "unsent"):
        factories.make_call(project, model=factories.MODEL, state=state, reason="no answer")
    call = factories.make_call(
        project, model=factories.MODEL, raw='{"answers": []}', micros=1234, prompt_tokens=50
    )
    document = factories.make_gold(project, "Ada met Bo.", ("Bo", "place"), split="dev")
    factories.make_prediction(document, "Bo", "place", uncertainty=0.7)
    factories.make_question(document, "Bo", "person", call=call)

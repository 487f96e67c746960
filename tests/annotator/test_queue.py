"""Which document comes next, and how far a project is."""

from __future__ import annotations

import uuid
from dataclasses import asdict

import pytest

from annotator import review, tasks
from annotator.asked import whom
from annotator.figures import project_figures, workers_seen
from annotator.models import Document, Project
from annotator.queue import next_document
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project)
    return project


def walk(project: Project) -> list[Document]:
    """All documents in the order of the queue, until it comes round to the first."""
    seen: list[Document] = []
    document = next_document(project)
    while document is not None and document not in seen:
        seen.append(document)
        document = next_document(project, document)
    return seen


def test_the_most_uncertain_comes_first_and_gold_never(project: Project) -> None:
    sure, doubtful, unread, gold, same = (factories.make_document(project) for _ in range(5))
    factories.make_doubt(doubtful, "Ada", "person", 0.9)
    factories.make_doubt(doubtful, "Bo", "person", 0.5)
    factories.make_doubt(sure, "Ada", "person", 0.6)
    factories.make_doubt(same, "Ada", "person", 0.6)
    Document.objects.filter(pk=gold.pk).update(status="gold", priority=9)
    assert walk(project) == [doubtful, sure, same, unread]


def test_at_the_end_of_the_queue_it_begins_again(project: Project) -> None:
    first, last = (factories.make_document(project) for _ in range(2))
    assert next_document(project, last) == first


def test_where_nothing_is_left_there_is_no_next(project: Project) -> None:
    assert next_document(project) is None
    lone = factories.make_document(project)
    assert next_document(project, lone) is None


def test_figures_of_a_case_counted_by_hand(project: Project) -> None:
    user = factories.make_user()
    factories.make_document(project)
    factories.make_mention(factories.make_document(project), "Ada", "person")
    doubtful = factories.make_document(project)
    factories.make_doubt(doubtful, "Ada", "person")
    factories.make_doubt(doubtful, "Bo", "person")
    gold = factories.make_document(project)
    bo = factories.make_doubt(gold, "Bo", "person")
    factories.make_mention(gold, "Ada", "person")
    review.decide(gold, user, review.Decision(uuid.uuid4(), "reject", mention=bo.pk))
    review.submit(gold, user, id=uuid.uuid4())
    asked = asdict(whom(project))
    factories.make_question(gold, "Ada", "person", **asked)
    factories.make_question(doubtful, "Ada", **asked)
    factories.make_question(doubtful, "Bo", state="open", **asked)
    factories.make_question(doubtful, "Oslo", "place", **asked | {"model": "another"})
    assert asdict(project_figures(project)) == {
        "documents": 4,
        "gold": 1,
        "to_review": 2,
        "needing_people": 1,
        "mentions_needing_people": 2,
        "mentions": 1,
        "corrections": 1,
        "routed": 2,
        "asked": 3,
        "answered": 1,
        "unresolved": 1,
    }


def test_a_worker_is_seen() -> None:
    for queue in ("gpu", "llm", "gpu"):
        tasks.worker_seen(queue)
    assert sorted(workers_seen()) == ["gpu", "llm"]

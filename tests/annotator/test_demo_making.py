"""The demo project: half gold, half to be reviewed, its training waiting for a worker."""

from __future__ import annotations

import pytest

from annotator import training
from annotator.demo import corpus, making
from annotator.models import Job, Mention, Project, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return factories.make_user()


def test_the_demo_is_complete_and_ready_to_train(owner: User) -> None:
    project = making.make(owner)
    texts = corpus.read()
    assert project.role_of(owner) == "owner"
    assert [label.name for label in project.labels.all()] == [x.name for x in corpus.labels()]
    assert all(label.description for label in project.labels.all())
    assert (project.provider, project.recording) == (Project.Provider.RECORDED, "demo")
    assert project.documents.count() == len(texts) == project.imports.get().documents_count
    assert project.documents.gold().count() == sum(text.gold for text in texts)
    assert project.documents.held_out().exists()
    assert training.prepare(project) == [[]]
    job = project.jobs.get()
    assert (job.kind, job.state, job.follow, job.created_by) == (
        Job.Kind.TRAIN,
        "running",
        True,
        owner,
    )
    assert job.chunks.get().state == "pending"


def test_mentions_stand_where_the_corpus_has_them(owner: User) -> None:
    project = making.make(owner)
    mentions = Mention.objects.filter(document__project=project).select_related("document")
    assert mentions.count() == sum(len(text.mentions) for text in corpus.read())
    assert {m.state for m in mentions} == {"accepted"}
    assert {m.document.status for m in mentions} == {"gold"}
    in_corpus = {
        (text.text, m.start, m.end, m.label) for text in corpus.read() for m in text.mentions
    }
    stored = {(m.document.text, m.start, m.end, m.label.name) for m in mentions}
    assert stored == in_corpus


def test_texts_to_review_carry_nothing_that_gives_them_away(owner: User) -> None:
    project = making.make(owner)
    waiting = project.documents.exclude(status="gold")
    assert {(d.status, d.split) for d in waiting} == {("new", "none")}
    assert not Mention.objects.filter(document__in=waiting).exists()

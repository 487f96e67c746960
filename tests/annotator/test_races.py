"""Many at once: every piece of work is done once, and nothing that a person did is lost.

Run on SQLite and, through `test_on_postgresql.py`, on PostgreSQL, where most races show.
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from annotator import chunks, importing, linking, pipeline, review, suggestions
from annotator.models import (
    Chunk,
    Correction,
    Document,
    Import,
    Job,
    Mention,
    Prediction,
    Project,
    SignInLink,
    User,
)
from annotator.refusals import Busy
from annotator.review import Decision, Refused, Stale
from mlworker import schema
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker, at_once

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Ada met Bo in Oslo."


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project)
    return project


def kinds(results: list[Any]) -> Counter[str]:
    return Counter(type(result).__name__ for result in results)


# --- Chunks ------------------------------------------------------------------------------------
def test_eight_claimants_claim_every_chunk_once(project: Project) -> None:
    job = chunks.open_job(project, Job.Kind.TAG, [[n] for n in range(80)])

    def claim_all() -> list[int]:
        claimed = iter(lambda: chunks.claim(job), None)
        return [chunk.items[0] for chunk in claimed]

    claimed = [item for items in at_once([claim_all] * 8) for item in items]
    assert sorted(claimed) == list(range(80))
    assert set(job.chunks.values_list("state", "attempts")) == {("sent", 1)}


def test_of_a_hundred_starts_one_begins(project: Project) -> None:
    def start() -> Counter[str]:
        found = Counter[str]()
        for _ in range(5):
            try:
                chunks.open_job(project, Job.Kind.TAG, [[1]])
                found["began"] += 1
            except Busy:
                found["busy"] += 1
        return found

    total = sum(at_once([start] * 20), Counter[str]())
    assert total == {"began": 1, "busy": 99}
    assert (Job.objects.count(), Chunk.objects.count()) == (1, 1)


def test_a_lost_chunk_is_taken_back_by_one(project: Project) -> None:
    job = chunks.open_job(project, Job.Kind.TAG, [[1]])
    chunks.claim(job)
    Chunk.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    [lost] = chunks.lost(job)
    assert sorted(at_once([partial(chunks.take_back, lost)] * 8)) == [False] * 7 + [True]


def test_a_job_is_ended_by_one(project: Project) -> None:
    job = chunks.open_job(project, Job.Kind.TAG, [])
    assert sorted(at_once([partial(chunks.settle, job)] * 8)) == [False] * 7 + [True]


def test_an_answer_that_comes_four_times_at_once_is_stored_once(
    project: Project, broker: Broker
) -> None:
    documents = [factories.make_document(project, TEXT) for _ in range(3)]
    job = chunks.open_job(project, Job.Kind.TAG, [[d.pk for d in documents]], follow=False)
    pipeline.dispatch(job)
    result = workers.tag(broker.take("gpu") or {}, ("Ada", "person", 0.1))
    reply = {"ok": result.to_json()}
    assert at_once([partial(pipeline.deliver, reply, None)] * 4) == [None] * 4
    job.refresh_from_db()
    assert (job.done, Prediction.objects.count(), Mention.objects.count()) == (3, 3, 3)


def test_answers_about_one_document_that_come_at_once_all_show(project: Project) -> None:
    document = factories.make_document(project, TEXT, status="tagged")
    for surface, label in (("Ada", "person"), ("Bo", "person"), ("Oslo", "place")):
        factories.make_prediction(document, surface, label, uncertainty=0.9)
    [questions] = linking.prepare(project)
    job = chunks.open_job(project, Job.Kind.LINK, [[pk] for pk in questions], follow=False)
    requests = [linking.request(chunks.claim(job)) for _ in questions]
    said = {"Ada": "person", "Bo": "person", "Oslo": "place"}
    replies = [{"ok": workers.answer(request, **said).to_json()} for request in requests]
    assert at_once([partial(pipeline.deliver, r, None) for r in replies]) == [None] * 3
    document.refresh_from_db()
    assert {m.source for m in document.mentions.all()} == {"llm"}
    assert document.needs_count == 0


# --- People ------------------------------------------------------------------------------------
def add(document: Document, user: User, at: int, version: int | None = None) -> Correction:
    decision = Decision(uuid.uuid4(), "add", version, start=at, end=at + 1, label="place")
    return review.decide(document, user, decision)


def test_of_decisions_with_one_id_in_many_documents_at_once_one_is_kept(project: Project) -> None:
    user, step = factories.make_user(), uuid.uuid4()
    documents = [factories.make_document(project, TEXT) for _ in range(8)]

    def decide(document: Document) -> str:
        try:
            review.decide(
                document, user, Decision(step, "add", None, start=0, end=3, label="person")
            )
        except Refused as refusal:
            return refusal.messages[0]
        return "kept"

    said = Counter(at_once([partial(decide, document) for document in documents]))
    assert said == {"kept": 1, review.ID_IS_TAKEN: 7}
    assert (Correction.objects.count(), Mention.objects.count()) == (1, 1)
    assert Document.objects.filter(version=1).count() == 1


def test_decisions_taken_at_once_are_all_kept(project: Project) -> None:
    document = factories.make_document(project, "x" * 40)
    users = [factories.make_user() for _ in range(8)]

    def five(number: int) -> None:
        for step in range(5):
            add(document, users[number], 5 * number + step)

    assert at_once([partial(five, number) for number in range(8)]) == [None] * 8
    document.refresh_from_db()
    made = Correction.objects.order_by("document_version")
    assert (document.version, document.mentions.accepted().count()) == (40, 40)
    assert [c.document_version for c in made] == list(range(1, 41))


def test_of_those_who_saw_the_same_version_one_wins(project: Project) -> None:
    document = factories.make_document(project, "x" * 40)
    user = factories.make_user()
    for version in range(5):
        works = [partial(add, document, user, 8 * version + n, version) for n in range(8)]
        assert kinds(at_once(works)) == {"Correction": 1, Stale.__name__: 7}
    document.refresh_from_db()
    assert (document.version, document.mentions.count(), Correction.objects.count()) == (5, 5, 5)


def test_a_decision_sent_eight_times_at_once_is_recorded_once(project: Project) -> None:
    document = factories.make_document(project, TEXT)
    user = factories.make_user()
    decision = Decision(uuid.uuid4(), "add", 0, start=0, end=3, label="person")
    results = at_once([partial(review.decide, document, user, decision)] * 8)
    assert kinds(results) == {"Correction": 8}
    document.refresh_from_db()
    assert (document.version, Correction.objects.count()) == (1, 1)


def test_a_document_is_submitted_once(project: Project) -> None:
    document = factories.make_document(project, TEXT)
    factories.make_mention(document, "Ada", "person")
    users = [factories.make_user() for _ in range(4)]
    works = [partial(review.submit, document, user, id=uuid.uuid4(), version=0) for user in users]
    assert kinds(at_once(works)) == {"Document": 1, Stale.__name__: 3}
    assert Counter(c.action for c in Correction.objects.all()) == {"accept": 1, "submit": 1}


def test_a_rebuild_at_the_same_time_takes_nothing_from_people(project: Project) -> None:
    document = factories.make_document(project, TEXT)
    for surface in ("Ada", "Bo", "Oslo"):
        factories.make_prediction(document, surface, "person", uncertainty=0.9)
    suggestions.refresh(project, [document.pk])
    user = factories.make_user()
    decisions = [
        Decision(uuid.uuid4(), action, mention=mention.pk)
        for action, mention in zip(
            ("accept", "reject", "accept"), document.mentions.all(), strict=True
        )
    ]
    works: list[Any] = [partial(review.decide, document, user, d) for d in decisions]
    works += [partial(suggestions.refresh, project, [document.pk])] * 3
    assert kinds(at_once(works)) == {"Correction": 3, "NoneType": 3}
    assert [m.state for m in document.mentions.all()] == ["accepted", "rejected", "accepted"]
    document.refresh_from_db()
    assert (document.version, document.needs_count) == (4, 0)


def test_a_sign_in_link_lets_one_in() -> None:
    token = SignInLink.issue(factories.make_user())
    assert kinds(at_once([partial(SignInLink.redeem, token)] * 8)) == {"User": 1, "NoneType": 7}


def test_a_file_that_comes_four_times_at_once_comes_in_once(project: Project) -> None:
    bring = partial(importing.import_file, project, filename="a.txt", data=b"Ada came.\n")
    assert kinds(at_once([bring] * 4)) == {"Import": 1, "Duplicate": 3}
    assert (Import.objects.count(), Document.objects.count()) == (1, 1)


def test_two_trainings_that_end_at_once_get_a_number_each(project: Project, broker: Broker) -> None:
    other = factories.make_project()
    replies = []
    for owner in (project, other):
        for number in range(10):
            factories.make_document(owner, f"Gold {number}", status="gold", split="train")
        job = chunks.open_job(owner, Job.Kind.TRAIN, [[]], follow=False)
        pipeline.dispatch(job)
        request = broker.take("gpu") or {}
        replies += [{"ok": workers.train(request).to_json()}] * 2
    assert at_once([partial(pipeline.deliver, r, None) for r in replies]) == [None] * 4
    assert sorted(v.number for v in project.versions.all()) == [1, 2]
    assert [v.number for v in other.versions.all()] == [1]


def test_progress_and_answer_at_once_leave_the_chunk_done(project: Project, broker: Broker) -> None:
    document = factories.make_document(project, TEXT)
    job = chunks.open_job(project, Job.Kind.TAG, [[document.pk]], follow=False)
    pipeline.dispatch(job)
    request = broker.take("gpu") or {}
    begun = schema.Progress(request["chunk"], request["attempt"], 0, 0, "")
    reply = {"ok": workers.tag(request).to_json()}
    works: list[Any] = [partial(pipeline.progress, begun)] * 3
    at_once([*works, partial(pipeline.deliver, reply, None)])
    assert job.chunks.get().state == "done"

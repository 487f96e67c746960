"""Orders of the queue, searches, and that no two people get the same document.

Run on SQLite and, through `test_on_postgresql.py`, on PostgreSQL.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from annotator import leases, progress, review
from annotator.decisions import Decision, Refused, Stale
from annotator.models import Correction, Document, Lease, Project, User
from annotator.queue import Order, Wish, claim_next
from tests import factories
from tests.annotator.workers import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def project(user: User) -> Project:
    project = factories.make_project(annotator=user)
    factories.make_version(project)
    return project


def make_documents(project: Project, count: int) -> list[Document]:
    texts = [f"Ada met Bo in Oslo, {n}." for n in range(count)]
    return [factories.make_document(project, text) for text in texts]


def read_through(project: Project, user: User, order: Order, count: int) -> list[int]:
    """The first `count` documents, each skipped for the next."""
    found: list[int] = []
    for _ in range(count):
        last = found[-1] if found else None
        document = claim_next(project, user, Wish(order, leaving=last, skipped=tuple(found)))
        assert document is not None
        found.append(document.pk)
    return found


def test_expected_value_goes_first_then_what_is_new(project: Project, user: User) -> None:
    first, second, new = make_documents(project, 3)
    factories.make_doubt(second, "Ada", "person", 0.9)
    factories.make_doubt(first, "Ada", "person", 0.5)
    sure = factories.make_document(project)
    factories.make_mention(sure, "Ada", "person")
    found = read_through(project, user, Order.EXPECTED, 4)
    assert found == [second.pk, first.pk, new.pk, second.pk]


def test_in_sequence_nothing_is_left_out(project: Project, user: User) -> None:
    documents = make_documents(project, 4)
    factories.make_mention(documents[1], "Ada", "person")
    ids = [document.pk for document in documents]
    assert read_through(project, user, Order.SEQUENTIAL, 5) == [*ids, ids[0]]


def test_an_audit_follows_the_hash_of_the_text_whatever_is_doubted(
    project: Project, user: User
) -> None:
    documents = make_documents(project, 8)
    factories.make_doubt(documents[3], "Ada", "person", 0.9)
    factories.make_mention(documents[5], "Ada", "person")
    ranked = sorted(documents, key=lambda d: hashlib.sha256(d.text.encode()).hexdigest())
    found = read_through(project, user, Order.RANDOM, 9)
    assert found == [*(document.pk for document in ranked), ranked[0].pk]


def test_disagreement_goes_first_then_what_is_expected(project: Project, user: User) -> None:
    agree, one, two, _ = make_documents(project, 4)
    for document, answers in (
        (agree, {"Ada": "person"}),
        (one, {"Ada": "group"}),
        (two, {"Ada": "group", "Bo": "O"}),
    ):
        for words, answer in answers.items():
            mention = factories.make_doubt(document, words, "person")
            mention.question = factories.make_question(document, words, answer)
            mention.save()
    assert read_through(project, user, Order.DISAGREEMENT, 3) == [two.pk, one.pk, agree.pk]
    Document.objects.filter(pk__in=[one.pk, two.pk]).update(status=Document.Status.GOLD)
    found = read_through(project, user, Order.DISAGREEMENT, 1)
    assert found == [agree.pk]


def test_all_words_of_a_search_must_be_there(project: Project, user: User) -> None:
    factories.make_document(project, "Bo sailed.")
    wanted = factories.make_document(project, "Bo sailed to OSLO.")
    found = claim_next(project, user, Wish(words=("oslo", "sail")))
    assert found == wanted
    assert claim_next(project, user, Wish(words=("oslo", "train"))) is None
    assert claim_next(project, user, Wish(words=("%",))) is None


def test_what_somebody_has_is_passed_over_until_it_lapses(project: Project, user: User) -> None:
    first, second = make_documents(project, 2)
    other = factories.make_user()
    assert claim_next(project, other, Wish()) == first
    assert claim_next(project, user, Wish()) == second
    assert claim_next(project, factories.make_user(), Wish()) is None
    Lease.objects.filter(user=other).update(until=timezone.now() - timedelta(seconds=1))
    assert claim_next(project, factories.make_user(), Wish()) == first
    assert not leases.claim(first.pk, other)


def test_whoever_has_one_open_gets_it_again_unless_they_skip(project: Project, user: User) -> None:
    first, second = make_documents(project, 2)
    assert [claim_next(project, user, Wish()) for _ in range(2)] == [first, first]
    assert claim_next(project, user, Wish(leaving=first.pk, skipped=(first.pk,))) == second
    assert [lease.document for lease in Lease.objects.all()] == [second]


def test_what_was_skipped_comes_when_nothing_else_is_left(project: Project, user: User) -> None:
    first, second, third = make_documents(project, 3)
    for leaving, comes in ((first, second), (second, third), (third, first)):
        wish = Wish(leaving=leaving.pk, skipped=(first.pk,))
        assert claim_next(project, user, wish) == comes
        submitted(comes, user)
    assert claim_next(project, user, wish) is None


def test_of_those_skipped_the_first_comes_first(project: Project, user: User) -> None:
    first, second, third = make_documents(project, 3)
    ids = (second.pk, third.pk, first.pk)
    assert claim_next(project, user, Wish(leaving=first.pk, skipped=ids)) == second
    assert claim_next(project, user, Wish(leaving=second.pk, skipped=(third.pk, first.pk))) == third
    submitted(first, user)
    submitted(second, user)
    assert claim_next(project, user, Wish(leaving=third.pk, skipped=(third.pk,))) == third


def submitted(document: Document, user: User) -> None:
    review.decide(document, user, Decision(uuid.uuid4(), "submit"))


def test_eight_who_press_next_never_get_the_same(project: Project) -> None:
    make_documents(project, 24)
    people = [factories.make_user() for _ in range(8)]

    def take_three(user: User) -> list[int]:
        found, after = [], None
        for _ in range(3):
            after = claim_next(project, user, Wish(leaving=after and after.pk))
            assert after is not None
            found.append(after.pk)
            Document.objects.filter(pk=after.pk).update(status=Document.Status.GOLD)
        return found

    taken = at_once([lambda user=user: take_three(user) for user in people])
    counted = Counter(pk for found in taken for pk in found)
    assert len(counted) == 24
    assert max(counted.values()) == 1
    assert Lease.objects.count() == 8


@pytest.mark.slow
def test_eight_who_edit_one_document_step_by_step(project: Project) -> None:
    edits = 200
    document = factories.make_document(project, "word " * 8 * edits)
    people = [factories.make_user() for _ in range(8)]
    refusals: list[int] = []

    def edit(user: User, place: int) -> list[uuid.UUID]:
        version, made = 0, []
        for n in range(edits):
            at = (place * edits + n) * 5
            given = Decision(uuid.uuid4(), "add", start=at, end=at + 4, label="person")
            try:
                done = review.decide_all(document, user, version, given.id, [given])
            except Stale as stale:
                version = stale.version
                refusals.append(version)
                continue
            except Refused as refusal:  # pragma: no cover
                raise AssertionError from refusal
            version = done.document.version
            made.append(given.id)
        return made

    done = at_once([lambda u=u, n=n: edit(u, n) for n, u in enumerate(people)])
    accepted = [made for ids in done for made in ids]
    document.refresh_from_db()
    assert len(accepted) + len(refusals) == 8 * edits
    versions = sorted(Correction.objects.values_list("document_version", flat=True))
    assert versions == list(range(1, len(accepted) + 1))
    assert document.version == document.mentions.count() == len(accepted)
    assert set(Correction.objects.values_list("pk", flat=True)) == set(accepted)


def test_progress_counts_what_stands(project: Project, user: User) -> None:
    first, _, waiting = make_documents(project, 3)
    factories.make_doubt(waiting, "Ada", "person")
    step = uuid.uuid4()
    given = [Decision(uuid.uuid4(), "add", start=n, end=n + 1, label="person") for n in (1, 2)]
    review.decide_all(first, user, 0, step, given)
    review.submit(first, user, id=uuid.uuid4())
    told = progress.progress(project, user)
    assert told == {"documents": 3, "gold": 1, "waiting": 2, "submitted": 1}
    other = Decision(uuid.uuid4(), "undo", of=Correction.objects.get(action="submit").step)
    review.decide(first, user, other)
    told = progress.progress(project, user)
    assert (told["gold"], told["submitted"]) == (0, 0)

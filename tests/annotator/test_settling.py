"""One act on many documents: what its preview says, all of it or nothing lost, and one undo."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator import review, settling, triage
from annotator.decisions import Decision, Refused
from annotator.models import Correction, Document, Mention, Project, User
from annotator.settling import Seen, Tally, Wish
from tests import factories
from tests.annotator.workers import at_once

pytestmark = pytest.mark.django_db

TEXT = "👩‍🚀 Ada met Bo in Oslo."
TO_PLACE = Wish("relabel", "place")


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def project(user: User) -> Project:
    project = factories.make_project(annotator=user)
    factories.make_version(project)
    return project


def fill(project: Project, count: int = 3) -> list[Mention]:
    documents = [factories.make_document(project, TEXT) for _ in range(count)]
    return [factories.make_doubt(document, "Oslo", "person") for document in documents]


def seen(project: Project) -> dict[int, int]:
    return dict(triage.by_document(triage.waiting(project), 1000))


def everything(project: Project) -> list[Any]:
    """All that a person sees of the project."""
    rows = Mention.objects.filter(document__project=project).order_by("pk")
    documents = project.documents.order_by("pk")
    weights = documents.values_list("status", "needs_count", "priority")
    return [[row.image() | {"form": row.form} for row in rows], list(weights)]


def settle(project: Project, user: User, wish: Wish, at: Seen | None = None) -> uuid.UUID:
    step = uuid.uuid4()
    settling.settle(project, user, step, wish, seen(project) if at is None else at)
    return step


# --- Deciding -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wish", "state", "label"),
    [
        (Wish("accept"), "accepted", "person"),
        (Wish("reject"), "rejected", "person"),
        (TO_PLACE, "accepted", "place"),
    ],
)
def test_all_that_was_seen_is_decided_as_one_step(
    project: Project, user: User, wish: Wish, state: str, label: str
) -> None:
    fill(project)
    at = seen(project)
    assert settling.preview(project, user, wish, at) == Tally(mentions=3, documents=3)
    step = settle(project, user, wish, at)
    decided = Mention.objects.values_list("state", "label__name", "needs_person")
    assert set(decided) == {(state, label, False)}
    assert Correction.objects.filter(step=step, author=user).count() == 3
    assert set(project.documents.values_list("version", "needs_count")) == {(1, 0)}


def test_what_overlaps_something_decided_stays_and_what_overlaps_goes(
    project: Project, user: User
) -> None:
    crossed, crowded, _free = (mention.document for mention in fill(project))
    taken = factories.make_mention(crossed, "in Oslo", "group", state="accepted")
    wide = factories.make_mention(crowded, "Bo in Oslo", "group")
    at = {pk: version for pk, version in seen(project).items() if pk != wide.pk}
    told = settling.preview(project, user, TO_PLACE, at)
    assert told == Tally(mentions=2, documents=2, others=1, refused=1)
    assert settling.settle(project, user, uuid.uuid4(), TO_PLACE, at) == told
    assert not Mention.objects.filter(pk=wide.pk).exists()
    taken.refresh_from_db()
    assert taken.state == "accepted"
    assert [m.label.name for m in triage.waiting(project)] == ["person"]


def test_a_document_that_changed_meanwhile_is_left_alone(project: Project, user: User) -> None:
    first, *_ = fill(project)
    at = seen(project)
    other = factories.make_user()
    decision = Decision(uuid.uuid4(), "reject", mention=first.pk)
    review.decide_all(first.document, other, None, decision.id, [decision])
    told = settling.preview(project, user, TO_PLACE, at)
    assert told == Tally(mentions=2, documents=2, changed=1)
    assert settling.settle(project, user, uuid.uuid4(), TO_PLACE, at) == told
    first.refresh_from_db()
    assert (first.state, first.label.name) == ("rejected", "person")


def test_the_same_step_again_does_nothing_and_says_the_same(project: Project, user: User) -> None:
    fill(project)
    at, step = seen(project), uuid.uuid4()
    said = [settling.settle(project, user, step, TO_PLACE, at) for _ in range(2)]
    assert said[0] == said[1] == Tally(mentions=3, documents=3)
    assert Correction.objects.count() == 3
    with pytest.raises(Refused, match="Another act has this id"):
        settling.settle(project, factories.make_user(), step, TO_PLACE, at)


def test_mentions_of_another_project_are_not_there(project: Project, user: User) -> None:
    elsewhere = factories.make_project()
    factories.make_version(elsewhere)
    fill(elsewhere, 2)
    before = everything(elsewhere)
    tally = settling.settle(project, user, uuid.uuid4(), TO_PLACE, seen(elsewhere))
    assert tally == Tally(changed=2)
    assert everything(elsewhere) == before


@pytest.mark.parametrize(
    ("action", "label"),
    [("submit", ""), ("undo", ""), ("add", ""), ("relabel", ""), ("accept", "place"), ("", "")],
)
def test_a_wish_that_cannot_be_is_refused(action: str, label: str) -> None:
    with pytest.raises(Refused):
        Wish(action, label)


def test_a_label_that_is_not_there_and_too_many_are_refused(project: Project, user: User) -> None:
    fill(project, 1)
    before = everything(project)
    for wish, at in [
        (Wish("relabel", "dragon"), seen(project)),
        (TO_PLACE, dict.fromkeys(range(1, settling.MOST + 2), 0)),
    ]:
        for act in (settling.preview, lambda *a: settling.settle(a[0], a[1], uuid.uuid4(), *a[2:])):
            with pytest.raises(Refused):
                act(project, user, wish, at)
    assert everything(project) == before


def test_looking_at_the_preview_changes_nothing(project: Project, user: User) -> None:
    fill(project)
    before = everything(project)
    settling.preview(project, user, TO_PLACE, seen(project))
    assert (everything(project), Correction.objects.count()) == (before, 0)


# --- Undo ---------------------------------------------------------------------------------------
SPANS = st.sampled_from(["Ada", "Bo", "Oslo", "met Bo", "Bo in Oslo", "in Oslo", "👩‍🚀 Ada"])
ROWS = st.tuples(SPANS, st.sampled_from(["person", "place"]), st.sampled_from(Mention.State.values))


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    overlap=st.booleans(),
    texts=st.lists(st.lists(ROWS, max_size=4, unique_by=lambda row: row[:2]), max_size=3),
    wish=st.sampled_from([Wish("accept"), Wish("reject"), TO_PLACE]),
)
def test_the_preview_is_what_happens_and_one_undo_restores_all(
    overlap: bool, texts: list[Any], wish: Wish, project: Project, user: User
) -> None:
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(overlap=overlap)
        project.refresh_from_db()
        for rows in texts:
            document = factories.make_document(project, TEXT)
            for surface, label, state in rows:
                needs = {"needs_person": state == "suggested"}
                factories.make_mention(document, surface, label, state=state, **needs)
        before, at, step = everything(project), seen(project), uuid.uuid4()
        told = settling.preview(project, user, wish, at)
        assert settling.settle(project, user, step, wish, at) == told
        after = everything(project)
        changes = [c for row in Correction.objects.filter(step=step) for c in row.changes]
        assert sum(now is not None for _, now in changes) == told.mentions
        assert sum(now is None for _, now in changes) == told.others
        assert len(at) - told.mentions - told.refused <= told.others
        if told.mentions:
            undone, again = uuid.uuid4(), uuid.uuid4()
            assert settling.take_back(project, user, step, undone).mentions == told.mentions
            assert everything(project) == before
            settling.take_back(project, user, undone, again)
            assert everything(project) == after
        transaction.set_rollback(True)


def test_undo_leaves_alone_what_was_decided_since(project: Project, user: User) -> None:
    first, *_ = fill(project)
    step = settle(project, user, Wish("accept"))
    other = factories.make_user()
    decision = Decision(uuid.uuid4(), "reject", mention=first.pk)
    review.decide_all(first.document, other, None, decision.id, [decision])
    tally = settling.take_back(project, user, step, uuid.uuid4())
    assert tally == Tally(mentions=2, documents=2, kept=1)
    first.refresh_from_db()
    assert first.state == "rejected"
    assert triage.waiting(project).count() == 2


def test_undo_leaves_alone_what_was_submitted_since(project: Project, user: User) -> None:
    first, *_ = fill(project)
    step = settle(project, user, Wish("accept"))
    review.submit(first.document, factories.make_user(), id=uuid.uuid4())
    tally = settling.take_back(project, user, step, uuid.uuid4())
    assert tally == Tally(mentions=2, documents=2, kept=1)
    first.refresh_from_db()
    assert first.state == "accepted"


def test_an_undo_sent_twice_is_one(project: Project, user: User) -> None:
    fill(project)
    step, by = settle(project, user, TO_PLACE), uuid.uuid4()
    said = [settling.take_back(project, user, step, by) for _ in range(2)]
    assert said[0] == said[1] == Tally(mentions=3, documents=3)
    assert Correction.objects.count() == 6


def test_nobody_undoes_what_another_did(project: Project, user: User) -> None:
    fill(project)
    step = settle(project, user, TO_PLACE)
    with pytest.raises(Refused, match="no such step"):
        settling.take_back(project, factories.make_user(), step, uuid.uuid4())
    assert not triage.waiting(project).exists()


# --- Two at once --------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_of_two_people_at_once_one_decides_and_the_other_is_told(
    project: Project, user: User
) -> None:
    fill(project, 6)
    at, other = seen(project), factories.make_user()
    works = [
        lambda: settling.settle(project, user, uuid.uuid4(), Wish("accept"), at),
        lambda: settling.settle(project, other, uuid.uuid4(), TO_PLACE, at),
    ]
    tallies = sorted(at_once(works), key=lambda tally: tally.mentions)
    assert tallies == [Tally(changed=6), Tally(mentions=6, documents=6)]
    assert Correction.objects.count() == 6
    assert Correction.objects.values("author").distinct().count() == 1
    assert set(Document.objects.values_list("version", flat=True)) == {1}

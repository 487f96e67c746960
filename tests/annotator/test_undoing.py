"""What was decided is undone to the row, done again, and neither where it would hide something."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator import figures, review, suggestions
from annotator.decisions import Decision, Name, Refused, Stale
from annotator.markup import Markup
from annotator.models import Correction, Document, Mention, Prediction, Project, User
from annotator.undoing import steps
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = "👩‍🚀 Ada met Bo in Oslo."


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def project(user: User) -> Project:
    project = factories.make_project(annotator=user)
    factories.make_version(project)
    return project


@pytest.fixture
def document(project: Project) -> Document:
    return factories.make_document(project, TEXT)


def act(document: Document, user: User, action: str, **fields: Any) -> uuid.UUID:
    """Decides, as a step of its own, whose id this is."""
    document.refresh_from_db()
    decision = Decision(uuid.uuid4(), action, **fields)
    review.decide_all(document, user, document.version, decision.id, [decision])
    document.refresh_from_db()
    return decision.id


def undo(document: Document, user: User, step: uuid.UUID) -> uuid.UUID:
    return act(document, user, "undo", of=step)


def rows(document: Document) -> list[dict[str, Any]]:
    return [row.image() | {"form": row.form} for row in document.mentions.order_by("pk")]


def offered(document: Document, user: User) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    document.refresh_from_db()
    return steps(document, document.mentions.all(), user)


def test_a_suggestion_that_made_room_comes_back_to_the_row(document: Document, user: User) -> None:
    factories.make_doubt(document, "Ada", "person")
    before = rows(document)
    step = act(document, user, "add", start=4, end=11, label="group")
    undo(document, user, step)
    assert rows(document) == before
    assert (document.needs_count, document.version) == (1, 2)


def test_again_is_the_undo_undone_and_stands_as_the_decision(
    document: Document, user: User
) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    step = act(document, user, "relabel", mention=mention.pk, label="group")
    after = rows(document)
    undone = undo(document, user, step)
    again = undo(document, user, undone)
    assert rows(document) == after
    made = Correction.objects.get(pk=again)
    assert (made.action, made.undoes_id) == ("relabel", undone)
    assert (made.label_before.name, made.label.name) == ("person", "group")
    assert list(Correction.objects.standing()) == [made]


def test_a_submit_is_undone_as_one(document: Document, user: User) -> None:
    factories.make_doubt(document, "Ada", "person")
    factories.make_mention(document, "Oslo", "place", needs_person=True, maybe=True)
    before, was = rows(document), document.image()
    step = act(document, user, "submit")
    assert (document.status, {row["state"] for row in rows(document)}) == (
        "gold",
        {"accepted", "rejected"},
    )
    undone = undo(document, user, step)
    assert (rows(document), document.image()) == (before, was)
    assert figures.project_figures(document.project).gold == 0
    undo(document, user, undone)
    assert document.status == "gold"
    standing = Correction.objects.standing()
    assert {row.evidence for row in standing} == {"submit"}
    assert len(standing) == 3


def test_figures_do_not_count_what_was_undone(document: Document, user: User) -> None:
    step = act(document, user, "add", start=0, end=1, label="place")
    undone = undo(document, user, step)
    assert figures.project_figures(document.project).corrections == 0
    undo(document, user, undone)
    assert figures.project_figures(document.project).corrections == 1


def test_a_step_is_undone_once(document: Document, user: User) -> None:
    step = act(document, user, "add", start=0, end=1, label="place")
    undo(document, user, step)
    with pytest.raises(Refused, match="undone already"):
        undo(document, user, step)
    two = [Decision(uuid.uuid4(), "undo", of=step) for _ in range(2)]
    with pytest.raises(Refused, match="send it alone"):
        review.decide_all(document, user, None, uuid.uuid4(), two)


def test_only_ones_own_steps_in_this_document_are_undone(document: Document, user: User) -> None:
    step = act(document, user, "add", start=0, end=1, label="place")
    other = factories.make_document(document.project, TEXT)
    for where, who in ((document, factories.make_user()), (other, user)):
        with pytest.raises(Refused, match="no such step"):
            undo(where, who, step)
    with pytest.raises(Refused, match="no such step"):
        undo(document, user, uuid.uuid4())


def test_what_changed_since_is_not_undone(document: Document, user: User) -> None:
    step = act(document, user, "add", start=4, end=7, label="person")
    mention = document.mentions.get()
    act(document, factories.make_user(), "relabel", mention=mention.pk, label="group")
    before = rows(document)
    with pytest.raises(Refused, match=r"“Ada” .* was changed after this step"):
        undo(document, user, step)
    assert rows(document) == before
    assert offered(document, user) == ([], [])


def test_what_was_marked_across_it_since_stands(document: Document, user: User) -> None:
    mention = factories.make_mention(document, "Ada met", "group", state="accepted")
    step = act(document, user, "reject", mention=mention.pk)
    act(document, user, "add", start=4, end=7, label="person")
    with pytest.raises(Refused, match=r"“Ada” \(person\) was marked after this step"):
        undo(document, user, step)


def test_what_was_submitted_since_is_not_opened_again(document: Document, user: User) -> None:
    """Gold would lack it, and nobody would be asked about it."""
    mention = factories.make_doubt(document, "Ada", "person")
    step = act(document, user, "accept", mention=mention.pk)
    submitted = act(document, factories.make_user(), "submit")
    with pytest.raises(Refused, match=r"submitted after “Ada” \(person\) was decided"):
        undo(document, user, step)
    assert offered(document, user) == ([], [])
    undo(document, Correction.objects.get(pk=submitted).author, submitted)
    assert offered(document, user) == ([step], [])
    undo(document, user, step)
    assert [row["state"] for row in rows(document)] == ["suggested"]


def test_an_older_step_is_undone_alone_where_nothing_hangs_on_it(
    document: Document, user: User
) -> None:
    first = act(document, user, "add", start=4, end=7, label="person")
    second = act(document, user, "add", start=12, end=14, label="person")
    undo(document, user, first)
    assert [row["start"] for row in rows(document)] == [12]
    assert offered(document, user)[0] == [second]


def test_steps_are_offered_as_editors_do(document: Document, user: User) -> None:
    one = act(document, user, "add", start=0, end=1, label="person")
    two = act(document, user, "add", start=1, end=2, label="person")
    assert offered(document, user) == ([one, two], [])
    back_two = undo(document, user, two)
    back_one = undo(document, user, one)
    assert offered(document, user) == ([], [back_two, back_one])
    again = undo(document, user, back_one)
    assert offered(document, user) == ([again], [back_two])
    three = act(document, user, "add", start=2, end=3, label="person")
    assert offered(document, user) == ([again, three], [])


def test_predictions_that_are_gone_do_not_stand_in_the_way(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    step = act(document, user, "add", start=4, end=11, label="group")
    Prediction.objects.all().delete()
    undo(document, user, step)
    back = document.mentions.get()
    assert (back.pk, back.prediction, back.state) == (mention.pk, None, "suggested")


def test_a_batch_is_all_or_nothing_and_one_version(document: Document, user: User) -> None:
    good = [Decision(uuid.uuid4(), "add", start=n, end=n + 1, label="person") for n in range(4, 7)]
    bad = Decision(uuid.uuid4(), "reject", mention=Name(0, 1, "group"))
    with pytest.raises(Refused, match="not in this document any more"):
        review.decide_all(document, user, 0, uuid.uuid4(), [*good, bad])
    assert not Correction.objects.exists()
    step = uuid.uuid4()
    made = review.decide_all(document, user, 0, step, good)
    assert made.document.version == 1
    assert [c.pk for c in Correction.objects.all()] == [d.id for d in good]
    again = review.decide_all(document, user, 0, step, good)
    assert again.document.version == 1
    assert set(again.touched) == set(made.touched)
    undo(document, user, step)
    assert rows(document) == []


def test_a_batch_may_build_on_itself(document: Document, user: User) -> None:
    factories.make_doubt(document, "Ada", "person")
    name = Name(4, 7, "person")
    before = rows(document)
    batch = [
        Decision(uuid.uuid4(), "relabel", mention=name, label="group"),
        Decision(uuid.uuid4(), "resize", mention=Name(4, 7, "group"), start=4, end=11),
        Decision(uuid.uuid4(), "reject", mention=Name(4, 11, "group")),
        Decision(uuid.uuid4(), "add", start=4, end=11, label="group"),
        Decision(uuid.uuid4(), "reject", mention=Name(4, 11, "group")),
        Decision(uuid.uuid4(), "add", start=4, end=11, label="group"),
        Decision(uuid.uuid4(), "submit"),
    ]
    step = uuid.uuid4()
    review.decide_all(document, user, 0, step, batch)
    assert [(row["form"], row["state"]) for row in rows(document)] == [("Ada met", "accepted")]
    undo(document, user, step)
    assert (rows(document), document.status) == (before, "tagged")


def test_where_mentions_may_overlap_they_nest(document: Document, user: User) -> None:
    Project.objects.update(overlap=True)
    document.project.refresh_from_db()
    factories.make_doubt(document, "Ada", "person")
    act(document, user, "add", start=4, end=11, label="group")
    act(document, user, "add", start=4, end=11, label="place")
    act(document, user, "submit")
    assert [row["form"] for row in rows(document)] == ["Ada", "Ada met", "Ada met"]
    with pytest.raises(Refused, match="overlaps"):
        act(document, user, "add", start=4, end=11, label="place")


def test_where_mentions_may_overlap_suggestions_stay_beside_what_was_decided(
    document: Document, user: User
) -> None:
    Project.objects.update(overlap=True)
    document.project.refresh_from_db()
    for words in ("Ada", "Oslo"):
        factories.make_prediction(document, words, "person")
    suggestions.refresh(document.project, [document.pk])
    act(document, user, "add", start=4, end=11, label="group")
    oslo = Name(TEXT.index("Oslo"), TEXT.index("Oslo") + 4, "person")
    act(document, user, "resize", mention=oslo, start=oslo.start, end=oslo.end + 1)
    suggestions.refresh(document.project, [document.pk])
    assert sorted(row["form"] for row in rows(document)) == ["Ada", "Ada met", "Oslo."]


def test_the_form_follows_the_bounds(document: Document, user: User) -> None:
    mention = factories.make_mention(document, "Ada", "person")
    step = act(document, user, "resize", mention=mention.pk, start=4, end=11)
    assert rows(document)[0]["form"] == "Ada met"
    undo(document, user, step)
    assert rows(document)[0]["form"] == "Ada"


# --- Whatever people do -------------------------------------------------------------------------
PLACES = st.integers(0, 9)
ACTS = st.tuples(
    st.sampled_from(["accept", "reject", "relabel", "resize", "add", "submit", "undo", "again"]),
    PLACES,
    PLACES,
    st.sampled_from(factories.LABELS),
)


def attempt(document: Document, user: User, acts: list[Any]) -> bool:
    """One step of these acts; whether it could be."""
    document.refresh_from_db()
    present = list(document.mentions.select_related("label"))
    back, forth = offered(document, user)
    batch = []
    for action, first, second, label in acts:
        fields: dict[str, Any] = {"label": label}
        if present:
            mention = present[first % len(present)]
            fields["mention"] = Name(mention.start, mention.end, mention.label.name)
        fields["start"], fields["end"] = min(first, second), max(first, second) + 1
        if action in ("undo", "again"):
            found = back if action == "undo" else forth
            fields = {"of": found[-1] if found else None}
        batch.append(Decision(uuid.uuid4(), "undo" if action == "again" else action, **fields))
    try:
        review.decide_all(document, user, document.version, uuid.uuid4(), batch)
    except (Refused, Stale):
        return False
    return True


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    overlap=st.booleans(),
    given_rows=st.lists(
        st.tuples(
            PLACES,
            PLACES,
            st.sampled_from(factories.LABELS),
            st.sampled_from(Mention.State.values),
            st.booleans(),
        ),
        max_size=4,
        unique_by=lambda row: (min(row[:2]), max(row[:2]), row[2]),
    ),
    acts=st.lists(st.lists(ACTS, min_size=1, max_size=3), max_size=6),
)
def test_undoing_all_restores_all_and_again_establishes_it(
    overlap: bool, given_rows: list[Any], acts: list[Any], project: Project, user: User
) -> None:
    with transaction.atomic():
        project.overlap = overlap
        document = factories.make_document(project, TEXT)
        labels = {label.name: label for label in project.labels.all()}
        for first, second, label, state, maybe in given_rows:
            row = Mention(document=document, label=labels[label], state=state, source="import")
            row.start, row.end = min(first, second), max(first, second) + 1
            row.maybe = row.needs_person = maybe and state == "suggested"
            row.take_form(TEXT)
            row.save()
        before, was = rows(document), document.image()
        for step in acts:
            attempt(document, user, step)
        assert_consistent(document)
        document.refresh_from_db()
        after, is_now = rows(document), document.image()
        count = 0
        while (back := offered(document, user)[0]) and count < 100:
            undo(document, user, back[-1])
            count += 1
        document.refresh_from_db()
        assert (rows(document), document.image()) == (before, was)
        assert not Correction.objects.standing().filter(document=document).exists()
        for _ in range(count):
            undo(document, user, offered(document, user)[1][-1])
        document.refresh_from_db()
        assert (rows(document), document.image()) == (after, is_now)
        transaction.set_rollback(True)


def assert_consistent(document: Document) -> None:
    """What was written is what was in memory, and the corrections tell it."""
    assert sorted(m.pk for m in Markup(document)) == [row["id"] for row in rows(document)]
    told: dict[int, Any] = {}
    for correction in document.corrections.order_by("document_version", "created_at"):
        for change_before, change_after in correction.changes:
            told[(change_after or change_before)["id"]] = change_after
    stored = {row.pk: row.image() for row in document.mentions.all()}
    assert {pk: image for pk, image in told.items() if image} == {
        pk: stored[pk] for pk in told if pk in stored
    }

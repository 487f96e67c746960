"""What people decide is carried out, recorded once, and refused where it cannot be."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from annotator import gold, review
from annotator.decisions import Decision, Refused, Stale
from annotator.models import Correction, Document, Mention, Prediction, Project, User
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = "👩‍🚀 Ada met Bo in Oslo."
A, OSLO = TEXT.index("Ada"), TEXT.index("Oslo")


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


def decide(document: Document, user: User, action: str, **fields: Any) -> Correction:
    fields = {"id": uuid.uuid4()} | fields
    correction = review.decide(document, user, Decision(action=action, **fields))
    document.refresh_from_db()
    return correction


def submit(document: Document, user: User, **fields: Any) -> None:
    review.submit(document, user, **({"id": uuid.uuid4()} | fields))
    document.refresh_from_db()


def rows(document: Document) -> list[tuple[str, str, str, str]]:
    mentions = document.mentions.select_related("label", "document")
    return [(m.surface, m.label.name, m.state, m.source) for m in mentions]


def test_accept(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    correction = decide(document, user, "accept", mention=mention.pk)
    assert rows(document) == [("Ada", "person", "accepted", "local")]
    assert (document.version, document.needs_count, document.priority) == (1, 0, 0)
    assert (correction.author, correction.document_version) == (user, 1)
    assert (correction.start, correction.end, correction.label.name) == (A, A + 3, "person")
    assert (correction.start_before, correction.end_before) == (A, A + 3)
    assert (correction.evidence, correction.prediction) == ("decision", mention.prediction)


def test_accept_with_another_label_is_the_persons_own(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    correction = decide(document, user, "accept", mention=mention.pk, label="group")
    assert rows(document) == [("Ada", "group", "accepted", "person")]
    assert (correction.label_before.name, correction.label.name) == ("person", "group")


def test_accept_with_the_same_label_leaves_whose_it_was(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    decide(document, user, "accept", mention=mention.pk, label="person")
    assert rows(document) == [("Ada", "person", "accepted", "local")]


def test_relabel(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    correction = decide(document, user, "relabel", mention=mention.pk, label="group")
    assert rows(document) == [("Ada", "group", "accepted", "person")]
    assert (correction.label_before.name, correction.label.name) == ("person", "group")


def test_relabel_onto_a_twin_that_was_rejected_or_suggested(document: Document, user: User) -> None:
    factories.make_mention(document, "Ada", "group", state="rejected")
    factories.make_mention(document, "Ada", "place", source="import")
    mention = factories.make_doubt(document, "Ada", "person")
    decide(document, user, "relabel", mention=mention.pk, label="group")
    assert rows(document) == [("Ada", "group", "accepted", "person")]


def test_resize_counts_code_points(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    correction = decide(document, user, "resize", mention=mention.pk, start=A, end=A + 7)
    assert rows(document) == [("Ada met", "person", "accepted", "person")]
    assert (correction.end_before, correction.end) == (A + 3, A + 7)


def test_reject_and_accept_after_all(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    decide(document, user, "reject", mention=mention.pk)
    assert rows(document) == [("Ada", "person", "rejected", "local")]
    decide(document, user, "accept", mention=mention.pk)
    assert rows(document) == [("Ada", "person", "accepted", "local")]
    assert [c.action for c in document.corrections.all()] == ["reject", "accept"]


def test_add_takes_the_place_of_suggestions(document: Document, user: User) -> None:
    factories.make_doubt(document, "Ada", "person")
    factories.make_doubt(document, "Oslo", "place")
    correction = decide(document, user, "add", start=A, end=A + 7, label="group")
    assert rows(document) == [
        ("Ada met", "group", "accepted", "person"),
        ("Oslo", "place", "suggested", "local"),
    ]
    assert (correction.start_before, correction.label_before) == (None, None)


def test_add_what_was_rejected_before(document: Document, user: User) -> None:
    factories.make_mention(document, "Ada", "person", state="rejected")
    decide(document, user, "add", start=A, end=A + 3, label="person")
    assert rows(document) == [("Ada", "person", "accepted", "person")]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"action": "add", "start": 0, "end": len(TEXT) + 1, "label": "place"}, "inside the text"),
        ({"action": "add", "start": 5, "end": 5, "label": "place"}, "inside the text"),
        ({"action": "add", "start": -1, "end": 5, "label": "place"}, "inside the text"),
        ({"action": "add", "label": "place"}, "start and an end"),
        ({"action": "add", "start": 0, "end": 3}, "no label “”"),
        ({"action": "add", "start": 0, "end": 3, "label": "ghost"}, "no label “ghost”"),
        ({"action": "relabel", "label": "ghost"}, "no label “ghost”"),
        ({"action": "relabel"}, "no label"),
        ({"action": "resize"}, "start and an end"),
        ({"action": "resize", "start": A, "end": 999}, "inside the text"),
        ({"action": "drop"}, "no action"),
        # "Oslo" is accepted: nothing may come to lie across it.
        ({"action": "add", "start": OSLO + 1, "end": OSLO + 9, "label": "place"}, "inside"),
        ({"action": "add", "start": OSLO + 1, "end": OSLO + 4, "label": "place"}, "overlaps “Oslo"),
        ({"action": "resize", "start": A, "end": OSLO + 1}, "overlaps “Oslo” (place)"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(
    document: Document, user: User, fields: dict[str, Any], says: str
) -> None:
    factories.make_mention(document, "Oslo", "place", state="accepted")
    mention = factories.make_doubt(document, "Ada", "person")
    before = rows(document)
    if fields["action"] in ("relabel", "resize"):
        fields = fields | {"mention": mention.pk}
    with pytest.raises(Refused) as refusal:
        decide(document, user, **fields)
    assert says in refusal.value.messages[0]
    document.refresh_from_db()
    assert (document.version, rows(document)) == (0, before)
    assert not Correction.objects.exists()


def test_a_label_of_another_project_is_no_label_here(document: Document, user: User) -> None:
    factories.make_project(labels=("ship",))
    with pytest.raises(Refused, match="no label"):
        decide(document, user, "add", start=0, end=3, label="ship")


def test_stale_pages_are_told_where_the_document_is(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    decide(document, user, "reject", mention=mention.pk, version=0)
    with pytest.raises(Stale) as stale:
        decide(document, user, "accept", mention=mention.pk, version=0)
    assert stale.value.version == 1
    with pytest.raises(Stale):
        submit(document, user, version=0)
    assert rows(document)[0][2] == "rejected"


def test_a_mention_that_is_gone_or_elsewhere_is_stale(document: Document, user: User) -> None:
    other = factories.make_document(document.project, TEXT)
    foreign = factories.make_doubt(other, "Ada", "person")
    for mention in (foreign.pk, 0, None):
        with pytest.raises(Stale):
            decide(document, user, "accept", mention=mention)
    assert Mention.objects.get(pk=foreign.pk).state == "suggested"


def test_sent_twice_is_recorded_once(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    first = decide(document, user, "accept", mention=mention.pk, version=0)
    again = decide(document, user, "accept", mention=mention.pk, version=0, id=first.pk)
    assert again == first
    assert (document.version, Correction.objects.count()) == (1, 1)


def test_an_id_belongs_to_one_person_and_document(document: Document, user: User) -> None:
    first = decide(document, user, "add", start=0, end=1, label="place")
    other = factories.make_document(document.project, TEXT)
    for where, who in ((other, user), (document, factories.make_user())):
        with pytest.raises(Refused, match="Another decision has this id"):
            decide(where, who, "add", id=first.pk, start=2, end=3, label="place")
        with pytest.raises(Refused, match="Another decision has this id"):
            submit(where, who, id=first.pk)
    assert Correction.objects.count() == 1


def test_submit_confirms_what_is_left_as_it_is_shown(document: Document, user: User) -> None:
    factories.make_mention(document, "Bo", "person", needs_person=True)
    factories.make_mention(document, "Oslo", "place", needs_person=True, maybe=True)
    ada = factories.make_mention(document, "Ada", "person")
    decide(document, user, "reject", mention=ada.pk)
    submit(document, user, version=1)
    assert rows(document) == [
        ("Ada", "person", "rejected", "local"),
        ("Bo", "person", "accepted", "local"),
        ("Oslo", "place", "rejected", "local"),
    ]
    assert not document.mentions.filter(needs_person=True).exists()
    assert (document.status, document.version, document.needs_count) == ("gold", 2, 0)
    assert (document.reviewed_by, document.reviewed_at is not None) == (user, True)
    made = Correction.objects.filter(evidence="submit")
    assert sorted(c.action for c in made) == ["accept", "reject", "submit"]
    assert {c.document_version for c in made} == {2}


def test_submit_sent_twice_changes_nothing(document: Document, user: User) -> None:
    sent = uuid.uuid4()
    submit(document, user, id=sent)
    submit(document, user, id=sent, version=0)
    assert (document.version, Correction.objects.count()) == (1, 1)
    event = Correction.objects.get()
    assert (event.pk, event.action, event.label, event.start) == (sent, "submit", None, None)


def test_the_split_of_new_gold_follows_its_text(project: Project, user: User) -> None:
    texts = [f"Text {n}" for n in range(25)] * 2
    for text in texts:
        submit(factories.make_document(project, text), user)
    found = list(project.documents.values_list("text", "split"))
    assert len(set(found)) == 25
    held_out = sum(split == "dev" for _, split in set(found))
    assert 1 <= held_out <= 12
    assert all(split in ("train", "dev") for _, split in found)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_split_that_was_given_stays(project: Project, user: User, split: str) -> None:
    document = factories.make_document(project, TEXT, split=split)
    submit(document, user)
    assert document.split == split


def test_gold_can_still_be_corrected(document: Document, user: User) -> None:
    mention = factories.make_mention(document, "Ada", "person")
    submit(document, user)
    decide(document, user, "reject", mention=mention.pk)
    assert (document.status, gold.mentions_of(document)) == ("gold", set())


def test_a_correction_outlives_what_the_machine_said(document: Document, user: User) -> None:
    mention = factories.make_doubt(document, "Ada", "person")
    correction = decide(document, user, "accept", mention=mention.pk)
    Prediction.objects.all().delete()
    correction.refresh_from_db()
    assert correction.prediction_id == mention.prediction_id


def test_submit_refuses_to_confirm_two_that_overlap(document: Document, user: User) -> None:
    factories.make_mention(document, "Ada met Bo", "group")
    bo = factories.make_mention(document, "Bo", "person")
    with pytest.raises(Refused, match=r"overlap\. Reject one of them first"):
        submit(document, user)
    decide(document, user, "reject", mention=bo.pk)
    submit(document, user)
    assert [m.surface for m in document.mentions.accepted()] == ["Ada met Bo"]

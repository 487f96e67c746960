"""Suggestions follow from predictions, answers and τ, and never from the way they came about."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotator import evidence, review, suggestions
from annotator.asked import whom
from annotator.models import Document, Mention, Project, Tagging, Threshold
from annotator.swept import whom_sweeps
from mlworker.schema import NO_ENTITY, Method
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = "Ada met Bo in Oslo."


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    factories.make_version(project, tau=0.4)
    return project


@pytest.fixture
def document(project: Project) -> Document:
    document = factories.make_document(project, TEXT)
    Tagging.objects.create(document=document, version=project.serving, method=project.method)
    return document


def refresh(document: Document) -> Document:
    suggestions.refresh(document.project, [document.pk])
    document.refresh_from_db()
    return document


def shown(document: Document) -> list[tuple[str, str, str, bool, bool]]:
    return [
        (m.surface, m.label.name, m.source, m.needs_person, m.maybe)
        for m in document.mentions.select_related("label", "document")
    ]


def say(document: Document, surface: str, answer: str = "", **fields: Any) -> None:
    asked = asdict(whom(document.project))
    factories.make_question(document, surface, answer, **asked | fields)


def test_a_first_reading_makes_the_document_reviewable(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person", uncertainty=0.1)
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    factories.make_prediction(document, "Oslo", "place", uncertainty=0.2, lane="candidate")
    refresh(document)
    assert shown(document) == [
        ("Ada", "person", "local", False, False),
        ("Bo", "person", "local", True, False),
        ("Oslo", "place", "local", True, True),
    ]
    assert (document.status, document.needs_count, document.priority) == ("tagged", 2, 0.7 + 0.2)


def test_a_document_without_predictions_is_reviewable_too(document: Document) -> None:
    refresh(document)
    assert (document.status, document.needs_count, shown(document)) == ("tagged", 0, [])


def test_answers_move_mentions_between_machine_and_people(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    factories.make_prediction(document, "Oslo", "place", lane="candidate")
    say(document, "Ada", "person")
    say(document, "Bo", "group")
    say(document, "Oslo", NO_ENTITY)
    assert shown(refresh(document)) == [
        ("Ada", "person", "llm", False, False),
        ("Bo", "group", "llm", True, False),
    ]


def test_answers_to_other_options_do_not_count(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    say(document, "Ada", "group")
    document.project.labels.filter(name="group").update(description="Teams and bands.")
    assert shown(refresh(document)) == [("Ada", "person", "local", True, False)]


def test_a_long_reason_is_cut_to_what_a_mention_holds(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    say(document, "Ada", reason="x" * 300)
    refresh(document)
    assert len(document.mentions.get().reason) == 300


def test_rows_that_stay_keep_their_ids_and_what_is_gone_is_deleted(document: Document) -> None:
    ada = factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    factories.make_prediction(document, "Bo", "person")
    refresh(document)
    before = {m.surface: m.pk for m in document.mentions.all()}
    ada.delete()
    say(document, "Bo", "person")
    refresh(document)
    assert {m.surface: m.pk for m in document.mentions.all()} == {"Bo": before["Bo"]}


def test_the_version_steps_only_when_a_person_would_see_a_difference(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    assert refresh(document).version == 1
    assert refresh(document).version == 1
    say(document, "Ada", "person")
    assert refresh(document).version == 2
    assert refresh(document).version == 2
    factories.make_prediction(document, "Oslo", "place")
    assert refresh(document).version == 3


def test_a_page_read_before_a_rebuild_cannot_be_submitted(document: Document) -> None:
    refresh(document)
    factories.make_prediction(document, "Oslo", "place")
    seen = document.version
    refresh(document)
    with pytest.raises(review.Stale):
        review.submit(document, factories.make_user(), id=uuid.uuid4(), version=seen)


def test_a_new_threshold_alone_changes_who_looks(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person", uncertainty=0.3)
    assert shown(refresh(document)) == [("Ada", "person", "local", False, False)]
    Threshold.objects.create(
        version=document.project.serving, method=document.project.method, tau=0.2
    )
    assert shown(refresh(document)) == [("Ada", "person", "local", True, False)]


def test_what_people_decided_stands_and_its_place_is_taken(document: Document) -> None:
    factories.make_mention(document, "Ada met", "group", state="accepted", source="person")
    factories.make_mention(document, "Bo", "person", state="rejected")
    factories.make_prediction(document, "Ada", "person")
    factories.make_prediction(document, "Bo", "place")
    factories.make_prediction(document, "Oslo", "place")
    decided = list(document.mentions.values_list("pk", "state", "source"))
    refresh(document)
    assert (
        list(document.mentions.exclude(state="suggested").values_list("pk", "state", "source"))
        == decided
    )
    assert [m.surface for m in document.mentions.undecided()] == ["Oslo"]


def test_only_the_rejected_span_itself_is_not_suggested_again(document: Document) -> None:
    factories.make_mention(document, "Ada met", "person", state="rejected")
    factories.make_prediction(document, "Ada", "person")
    assert [m.surface for m in refresh(document).mentions.undecided()] == ["Ada"]


@pytest.mark.parametrize("state", ["rejected", "accepted"])
def test_what_is_decided_hides_nothing_that_it_does_not_overlap(
    project: Project, state: str
) -> None:
    """A span that lost its place to another one gets it back when that one is out of the way."""
    document = factories.make_document(project, "In New York Times Square.")
    kept = {"rejected": "New York Times", "accepted": "New York"}[state]
    factories.make_prediction(document, "York Times", "group", uncertainty=0.9, lane="candidate")
    factories.make_prediction(document, "Times Square", "place", uncertainty=0.6)
    factories.make_prediction(document, "New York Times", "group", lane="candidate")
    say(document, "New York Times", "group")
    say(document, "York Times", "group")
    refresh(document)
    assert "Times Square" not in [m.surface for m in document.mentions.all()]
    document.mentions.all().delete()
    factories.make_mention(document, kept, "group", state=state, source="person")
    if state == "rejected":
        factories.make_mention(document, "York Times", "group", state=state)
    assert [m.surface for m in refresh(document).mentions.undecided()] == ["Times Square"]


def test_what_the_llm_read_takes_nothing_away_while_a_method_has_no_threshold(
    document: Document,
) -> None:
    factories.make_prediction(document, "Bo", "person")
    before = shown(refresh(document))
    assert before
    project = document.project
    project.method = Method.ENTROPY
    project.save()
    factories.make_swept_sentence(document, {"Ada": "person"}, **asdict(whom_sweeps(project)))
    assert shown(refresh(document)) == before


def test_what_the_llm_named_and_nobody_could_place_is_no_no_entity(document: Document) -> None:
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    to = asdict(whom_sweeps(document.project))
    sentence = factories.make_swept_sentence(document, **to)

    def said() -> str | None:
        (known,) = evidence.gather(document.project, [document.pk])[document.pk]
        return known.span.found

    assert said() == NO_ENTITY
    sentence.ungrounded = [["Bo", "person"]]  # as the second of its kind, say
    sentence.save()
    assert said() is None


def test_import_suggestions_stand_beside_the_machine(document: Document) -> None:
    brought = factories.make_mention(document, "Oslo", "group", source="import", needs_person=True)
    factories.make_prediction(document, "Oslo", "place")
    factories.make_prediction(document, "Ada", "person")
    refresh(document)
    assert shown(document) == [
        ("Ada", "person", "local", False, False),
        ("Oslo", "group", "import", True, False),
    ]
    assert document.mentions.filter(pk=brought.pk).exists()


def test_gold_is_left_alone(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(status=Document.Status.GOLD)
    factories.make_prediction(document, "Ada", "person")
    refresh(document)
    assert (document.status, document.version, shown(document)) == ("gold", 0, [])


def test_unread_by_the_serving_version_is_left_alone(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person")
    before = shown(refresh(document))
    factories.make_version(document.project, tau=0.0)
    assert shown(refresh(document)) == before
    assert document.version == 1


def test_documents_of_another_project_are_left_alone(document: Document) -> None:
    factories.make_prediction(document, "Ada", "person")
    other = factories.make_project()
    factories.make_version(other)
    suggestions.refresh(other, [document.pk])
    assert not document.mentions.exists()


def test_more_documents_than_one_batch_holds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestions, "BATCH", 2)
    documents = [factories.make_document(project, TEXT) for _ in range(5)]
    for document in documents:
        factories.make_prediction(document, "Ada", "person")
    suggestions.refresh(project, [d.pk for d in documents])
    assert Mention.objects.filter(document__project=project).count() == 5


def test_more_documents_take_no_more_queries(project: Project) -> None:
    documents = [factories.make_document(project, TEXT) for _ in range(12)]
    for document in documents:
        factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    counts = []
    for some in (documents[:2], documents[2:]):
        with CaptureQueriesContext(connection) as queries:
            suggestions.refresh(project, [d.pk for d in some])
        counts.append(len(queries))
    assert counts[0] == counts[1]


spans = st.tuples(st.integers(0, 17), st.integers(1, 6)).map(lambda s: (s[0], min(19, sum(s))))
decided = st.tuples(
    spans, st.sampled_from(["accepted", "rejected", "suggested"]), st.sampled_from([0, 1, 2])
)
predicted = st.tuples(
    spans, st.floats(0, 1), st.sampled_from(["mention", "candidate"]), st.sampled_from([0, 1, 2])
)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    stand=st.lists(decided, max_size=4, unique_by=lambda d: (d[0], d[2])),
    read=st.lists(predicted, max_size=6, unique_by=lambda p: p[0]),
)
def test_suggestions_never_overlap_what_stands(
    project: Project, stand: list[Any], read: list[Any]
) -> None:
    labels = list(project.labels.all())
    document = factories.make_document(project, TEXT)
    tagging = Tagging.objects.create(
        document=document, version=project.serving, method=project.method
    )
    for (start, end), state, label in stand:
        document.mentions.create(
            start=start, end=end, label=labels[label], state=state, source="import"
        )
    for (start, end), uncertainty, lane, label in read:
        tagging.predictions.create(
            start=start,
            end=end,
            label=labels[label],
            lane=lane,
            uncertainty=uncertainty,
            probabilities={},
            sentence_start=0,
            sentence_end=len(TEXT),
        )
    refresh(document)
    rows = list(document.mentions.all())
    machine = [m for m in rows if m.source != "import"]
    standing = [m for m in rows if m.source == "import" and m.state != "rejected"]
    rejected = {(m.start, m.end) for m in rows if m.state == "rejected"}
    assert len(rows) - len(machine) == len(stand)
    assert not any(m.start < s.end and s.start < m.end for m in machine for s in standing)
    assert not rejected & {(m.start, m.end) for m in machine}
    read_spans = {span for span, *_ in read}
    assert {(m.start, m.end) for m in machine} <= read_spans
    again = [(m.pk, *suggestions._seen(m)) for m in machine]
    version = document.version
    refresh(document)
    rebuilt = [m for m in document.mentions.all() if m.source != "import"]
    assert [(m.pk, *suggestions._seen(m)) for m in rebuilt] == again
    assert document.version == version

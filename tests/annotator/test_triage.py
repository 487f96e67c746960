"""Alike mentions are grouped, ordered by what one press saves, and shown in their sentences."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator import triage
from annotator.models import Mention, Project
from annotator.triage import Sieve
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project()
    factories.make_version(project)
    return project


def doubt(
    project: Project, text: str, surface: str, label: str, answer: str = "", u: float = 0.6
) -> Mention:
    """A mention that needs a person, in a document of its own, with the LLM's answer if any."""
    document = factories.make_document(project, text)
    mention = factories.make_doubt(document, surface, label, u)
    if answer:
        mention.question = factories.make_question(document, surface, answer)
        mention.save()
    return mention


def shown(project: Project, **sieve: object) -> list[tuple[str, str, int]]:
    found = triage.groups(project, Sieve(**sieve))  # type: ignore[arg-type]
    return [(group.form, group.label.name, group.count) for group in found]


# --- Which mentions -----------------------------------------------------------------------------
def test_mentions_with_the_same_words_and_suggestion_are_a_group(project: Project) -> None:
    for label in ("person", "person", "place"):
        doubt(project, "Oslo slept.", "Oslo", label)
    doubt(project, "OSLO slept.", "OSLO", "person")
    assert shown(project, least=1) == [
        ("Oslo", "person", 2),
        ("OSLO", "person", 1),
        ("Oslo", "place", 1),
    ]
    assert shown(project) == [("Oslo", "person", 2)]


def test_only_what_waits_for_a_person_is_shown(project: Project) -> None:
    kept = [doubt(project, "Oslo slept.", "Oslo", "place") for _ in range(6)]
    Mention.objects.filter(pk=kept[0].pk).update(state="accepted")
    Mention.objects.filter(pk=kept[1].pk).update(state="rejected")
    Mention.objects.filter(pk=kept[2].pk).update(needs_person=False)
    project.documents.filter(pk=kept[3].document_id).update(status="gold")
    elsewhere = factories.make_project()
    factories.make_version(elsewhere)
    doubt(elsewhere, "Oslo slept.", "Oslo", "place")
    assert shown(project) == [("Oslo", "place", 2)]


@pytest.mark.parametrize(
    ("sieve", "forms"),
    [
        ({}, {"Ada", "Bo", "Oslo", "Rome"}),
        ({"label": "place"}, {"Oslo", "Rome"}),
        ({"label": "no such"}, set()),
        ({"llm": "agrees"}, {"Ada"}),
        ({"llm": "differs"}, {"Bo"}),
        ({"llm": "none"}, {"Oslo"}),
        ({"llm": "silent"}, {"Rome"}),
        ({"words": "o"}, {"Bo", "Oslo", "Rome"}),
        ({"words": "%"}, set()),
    ],
)
def test_a_sieve_lets_through(project: Project, sieve: dict[str, str], forms: set[str]) -> None:
    for form, label, answer in [
        ("Ada", "person", "person"),
        ("Bo", "person", "group"),
        ("Oslo", "place", "O"),
        ("Rome", "place", ""),
    ]:
        doubt(project, f"{form} slept.", form, label, answer)
    assert {form for form, *_ in shown(project, least=1, **sieve)} == forms


# --- What is said of a group --------------------------------------------------------------------
def test_a_group_says_what_llm_and_model_said(project: Project) -> None:
    for n, answer in enumerate(["place", "O", "O", ""]):
        doubt(project, "Oslo slept.", "Oslo", "person", answer, u=0.2 * (n + 1))
    (group,) = triage.groups(project, Sieve())
    (group,) = triage.described(project, Sieve(), [group])
    assert [(said.label and said.label.name, said.count) for said in group.llm] == [
        (None, 2),
        ("place", 1),
    ]
    assert [(said.label and said.label.name, said.count) for said in group.local] == [("person", 4)]
    assert (group.documents, group.silent, group.settles) == (4, 1, 2)
    assert group.uncertainty == pytest.approx(0.5)


def test_a_candidate_counts_as_no_entity_for_the_model(project: Project) -> None:
    for lane in ("mention", "candidate", "candidate"):
        mention = doubt(project, "Oslo slept.", "Oslo", "place")
        assert mention.prediction
        mention.prediction.lane = lane
        mention.prediction.save()
    (group,) = triage.described(project, Sieve(), triage.groups(project, Sieve()))
    assert [(said.label and said.label.name, said.count) for said in group.local] == [
        (None, 2),
        ("place", 1),
    ]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Ada", "Bo", "Oslo"]), st.sampled_from(["place", "O", ""])),
        max_size=14,
    )
)
def test_groups_are_ordered_by_the_decisions_that_one_press_settles(
    rows: list[tuple[str, str]],
) -> None:
    project = factories.make_project()
    factories.make_version(project)
    for form, answer in rows:
        doubt(project, f"{form} slept.", form, "person", answer)
    found = triage.groups(project, Sieve(least=1))
    assert sum(group.count for group in found) == len(rows)
    for group in found:
        # What was not asked about counts as suggested: person, which no answer here says.
        answers = [answer for form, answer in rows if form == group.form]
        assert group.settles == max(answers.count(answer) for answer in answers)
    assert found == sorted(found, key=lambda g: (-g.settles, -g.count, g.form))


def test_how_many_queries_there_are_does_not_depend_on_the_groups(project: Project) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            triage.described(project, Sieve(), triage.groups(project, Sieve()))
        return len(queries)

    for _ in range(2):
        doubt(project, "Ada slept.", "Ada", "person", "O")
    few = count()
    for form in ("Ada", "Ada", "Bo", "Bo", "Oslo", "Oslo"):
        doubt(project, f"{form} slept.", form, "place", "person")
    assert count() == few


# --- In their sentences -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("👩‍🚀 Ada met Bo\r\nin Oslo.\r\nThen slept.", "Oslo"),
        ("רות פגשה את Ada בירושלים.", "Ada"),
        ("\u202eAda\u202c e\u0301t 東京 👨‍👩‍👧", "東京"),
        (f"{'early ' * 90}Ada{' late' * 90}", "Ada"),
        (f"{'x' * 400}Ada{'y' * 400}", "Ada"),
        ("Ada", "Ada"),
    ],
)
def test_the_mark_is_exactly_the_mention(project: Project, text: str, surface: str) -> None:
    mention = doubt(project, text, surface, "person")
    (row,) = triage.occurrences(triage.waiting(project), 0, 10)
    assert row.surface == surface
    before, after = row.before.removeprefix("… "), row.after.removesuffix(" …")
    assert text[: mention.start].endswith(before)
    assert text[mention.end :].startswith(after)
    assert max(len(before), len(after)) <= triage.MARGIN + 1


def test_of_a_long_text_no_more_is_read_than_is_shown(project: Project) -> None:
    doubt(project, f"{'early ' * 5000}Ada slept.", "Ada", "person")
    (row,) = triage.occurrences(triage.waiting(project), 0, 10)
    assert "text" in row.mention.document.get_deferred_fields()
    assert row.after == " slept."


def test_sentences_of_which_the_llm_said_the_same_stand_together(project: Project) -> None:
    for answer in ("place", "", "O", "place", "O"):
        doubt(project, "Oslo slept.", "Oslo", "person", answer)
    rows = triage.occurrences(triage.waiting(project), 0, 10)
    said = [row.mention.question.answer if row.mention.question else None for row in rows]
    assert said == ["O", "O", "place", "place", None]

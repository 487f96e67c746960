"""What is known of the spans of a document, from whoever said something about them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator import evidence, suggestions
from annotator.evidence import Known
from annotator.models import Document, Mention, Project, SweptSentence, Threshold
from annotator.swept import whom_sweeps
from mlworker.schema import NO_ENTITY, Evidence, Lane, Pool
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = "Ada met Bo.\nOslo is far."


@pytest.fixture
def project(settings: Any) -> Project:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", "m"
    project = factories.make_project(provider=Project.Provider.OPENAI, sweep_share=100)
    factories.make_version(project, tau=0.4)
    return project


@pytest.fixture
def document(project: Project) -> Document:
    """Of Ada the local model is sure, of Bo it is not, and Oslo it does not see."""
    document = factories.make_document(project, TEXT, status="tagged")
    factories.make_tagging(document)
    factories.make_prediction(document, "Ada", "person", uncertainty=0.1)
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    return document


def read(document: Document, found: dict[str, str], **fields: Any) -> SweptSentence:
    to = whom_sweeps(document.project)
    whom = {"provider": to.provider, "model": to.model, "prompt_version": to.prompt_version}
    return factories.make_swept_sentence(document, found, **whom | fields)


def known(document: Document) -> dict[str, Evidence]:
    rows = gathered(document).get(document.pk, [])
    return {document.text[k.span.start : k.span.end]: k.span for k in rows}


def gathered(document: Document) -> dict[int, list[Known]]:
    return evidence.gather(document.project, [document.pk])


def suggested(document: Document) -> dict[str, Mention]:
    suggestions.refresh(document.project, [document.pk])
    return {m.surface: m for m in document.mentions.select_related("document", "label")}


def test_a_span_nobody_read_has_no_finding(document: Document) -> None:
    found = known(document)
    assert set(found) == {"Ada", "Bo"}
    assert {span.found for span in found.values()} == {None}


def test_a_reading_speaks_of_every_span_of_its_sentence_and_of_no_other(
    document: Document,
) -> None:
    read(document, {"Bo": "group"}, end=11)
    found = known(document)
    assert {words: span.found for words, span in found.items()} == {"Ada": NO_ENTITY, "Bo": "group"}


def test_what_only_the_llm_found_is_a_proposal(document: Document) -> None:
    read(document, {"Oslo": "place", "Ada": "person"})
    proposal = known(document)["Oslo"]
    assert (proposal.lane, proposal.label, proposal.found) == (Lane.PROPOSAL, "place", "place")
    assert (proposal.uncertainty, proposal.probabilities) == (1.0, {})


def test_what_the_local_model_thinks_of_a_proposal_is_known_where_it_was_kept(
    document: Document,
) -> None:
    tagging = document.taggings.get()
    at = TEXT.index("Oslo")
    tagging.faint = [[at, at + 4, [0.9, 0.02, 0.05, 0.03]]]
    tagging.save()
    read(document, {"Oslo": "place"})
    assert known(document)["Oslo"].probabilities == {
        NO_ENTITY: 0.9,
        "person": 0.02,
        "place": 0.05,
        "group": 0.03,
    }


@pytest.mark.parametrize(
    "fields", [{"model": "another"}, {"prompt_version": "sweep.v0"}, {"state": "open"}]
)
def test_what_another_llm_or_prompt_found_is_not_known(
    document: Document, fields: dict[str, Any]
) -> None:
    read(document, {"Oslo": "place"}, **fields)
    assert set(known(document)) == {"Ada", "Bo"}


def test_a_version_that_has_not_read_the_document_says_nothing(document: Document) -> None:
    read(document, {"Oslo": "place"})
    factories.make_version(document.project)
    assert gathered(document) == {}


def test_a_method_without_a_threshold_says_nothing_and_changes_nothing(document: Document) -> None:
    read(document, {"Oslo": "place"})
    before = set(suggested(document))
    Threshold.objects.all().delete()
    assert suggestions.Basis.read(document.project, [document.pk]).known == {}
    assert set(suggested(document)) == before == {"Ada", "Bo", "Oslo"}


def test_two_readings_of_the_same_words_suggest_them_once(document: Document) -> None:
    read(document, {"Oslo": "place"})
    read(document, {"Oslo": "group"}, start=TEXT.index("Oslo"))
    assert [s for s in suggested(document) if s == "Oslo"] == ["Oslo"]


def test_more_documents_take_no_more_queries(project: Project) -> None:
    rows = [factories.make_document(project, f"{TEXT} {n}") for n in range(12)]
    for row in rows:
        factories.make_tagging(row)
        factories.make_prediction(row, "Ada", "person")
        read(row, {"Oslo": "place"})
    counts = []
    for some in (rows[:2], rows[2:]):
        with CaptureQueriesContext(connection) as queries:
            evidence.gather(project, [row.pk for row in some])
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- Weighed together --------------------------------------------------------------------------
WEIGHTS = {
    **{f"label {name}": 0.0 for name in factories.LABELS},
    "entity": 0.0,
    "local": 0.1,
    "question unasked": 0.0,
    "sweep this": 2.0,
    "sweep another": -1.0,
    "sweep nothing": -1.0,
    "sweep unasked": 0.0,
}


@pytest.fixture
def pooled(document: Document) -> Document:
    pool = Pool(list(factories.LABELS), WEIGHTS, 0.5, 250)
    Threshold.objects.update(pool=pool.to_json())
    read(document, {"Oslo": "place"})
    return document


def test_weights_say_how_probably_each_span_is_right(pooled: Document) -> None:
    found = suggested(pooled)
    assert found["Ada"].right is None, "what is not routed is not weighed"
    oslo, bo = found["Oslo"], found["Bo"]
    assert (oslo.source, oslo.needs_person, oslo.maybe) == ("sweep", True, False)
    assert 0.5 < (oslo.right or 0) < 0.9
    assert "reading the sentence, it says place" in oslo.reason
    assert (bo.maybe, bo.needs_person) == (True, True)


def test_what_is_sure_enough_comes_to_nobody(pooled: Document) -> None:
    pooled.project.sure = 0.6
    oslo = suggested(pooled)["Oslo"]
    assert (oslo.needs_person, oslo.routing, oslo.source) == (False, "llm", "sweep")


def test_replacing_takes_no_notice_of_weights(pooled: Document) -> None:
    pooled.project.fusion = Project.Fusion.REPLACE
    found = suggested(pooled)
    assert {m.right for m in found.values()} == {None}
    assert found["Oslo"].maybe


def test_the_queue_is_ordered_by_how_probably_each_span_is_wrong(pooled: Document) -> None:
    waiting = [m for m in suggested(pooled).values() if m.needs_person]
    pooled.refresh_from_db()
    assert len(waiting) == 2
    assert pooled.priority == pytest.approx(sum(1 - (m.right or 0) for m in waiting))
    suggestions.weigh(pooled, pooled.mentions.undecided().select_related("prediction"))
    assert pooled.priority == pytest.approx(sum(1 - (m.right or 0) for m in waiting))

"""The page of figures: who sees it, that it is empty where nothing is, and what it says."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import strip_tags

from annotator import agreement, reliability, review
from annotator.asked import whom
from annotator.models import Job, Project, User
from annotator.review import Decision
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> User:
    """An annotator, signed in."""
    reader = factories.make_user("mei")
    client.force_login(reader)
    return reader


@pytest.fixture
def project(reader: User) -> Project:
    project = factories.make_project("Letters", annotator=reader, monthly_budget=Decimal(20))
    factories.make_version(project, tau=0.42)
    return project


def page(client: Client, project: Project) -> str:
    response = client.get(f"/projects/{project.slug}/progress/")
    assert response.status_code == 200
    return response.content.decode()


def said(client: Client, project: Project) -> str:
    """The page's words, with single blanks."""
    return re.sub(r"\s+", " ", strip_tags(page(client, project).replace("</th>", "</th> ")))


def figure(html: str, key: str) -> str:
    """What the page has of the figure `key`, drawn or not."""
    drawn = rf'<figure [^>]*id="{key}".*?</figure>'
    found = re.search(rf'{drawn}|<div id="{key}">.*?</div>', html, re.DOTALL)
    assert found is not None, f"no figure {key}"
    return found[0]


def make_checked(project: Project, right: int, wrong: int, uncertainty: float = 0.2) -> None:
    """Held-out gold about which the model was so often right, and so often wrong."""
    for n in range(right + wrong):
        true = ("Ada", "person" if n < right else "place")
        document = factories.make_gold(project, f"{n} Ada.", true, split="dev")
        factories.make_prediction(document, "Ada", "person", uncertainty=uncertainty)


def test_an_empty_project_says_what_will_be_here(client: Client, project: Project) -> None:
    html = page(client, project)
    assert "Nothing to draw yet" in html
    assert "<figure" not in html


def test_without_a_model_there_is_nothing_to_say_of_one(client: Client, reader: User) -> None:
    project = factories.make_project(annotator=reader)
    factories.make_document(project)
    words = said(client, project)
    assert words.count("There is no model yet: it comes with the first training.") == 3
    assert "Nobody has decided anything yet." in words
    assert "<svg" not in figure(page(client, project), "over-time")


def test_every_drawing_has_a_name_and_a_table(client: Client, project: Project) -> None:
    make_checked(project, reliability.ENOUGH, 10)
    document = factories.make_document(project)
    mention = factories.make_doubt(document, "Ada", "person", 0.6)
    user = User.objects.get(username="mei")
    review.decide(document, user, Decision(uuid.uuid4(), "accept", mention=mention.pk))
    html = page(client, project)
    keys = ["over-time", "labels", "how-decided", "uncertainty", "calibration", "risk", "people"]
    for key in keys:
        drawn = figure(html, key)
        assert re.search(r'<svg class="chart[^>]* role="img" aria-label="[^"]{10,}"', drawn), key
        assert f'<table id="{key}-table">' in drawn, key
        assert f'data-copy="{key}-table"' in drawn, key
    assert "style=" not in html
    assert "<style" not in html
    assert "mei" in figure(html, "people")


def test_tau_is_drawn_where_it_is(client: Client, project: Project) -> None:
    make_checked(project, reliability.ENOUGH, 0)
    make_checked_above = factories.make_document(project, "Bo in Oslo.")
    factories.make_prediction(make_checked_above, "Bo", "person", uncertainty=0.6)
    drawn = figure(page(client, project), "uncertainty")
    assert '<line class="rule" x1="42%"' in drawn
    assert "τ = 0.42" in drawn
    assert 'class="lamp"' in drawn
    assert "1 of 51 predicted spans (2%) are above τ" in drawn


def test_too_few_checked_spans_say_so(client: Client, project: Project) -> None:
    make_checked(project, reliability.ENOUGH - 1, 0)
    html = page(client, project)
    for key in ("calibration", "risk"):
        words = strip_tags(figure(html, key))
        assert "Not enough checked spans yet: 49 of at least 50." in words
        assert "<svg" not in figure(html, key)


def test_confidence_is_held_against_accuracy(client: Client, project: Project) -> None:
    make_checked(project, 50, 50, uncertainty=0.2)
    html = page(client, project)
    assert "ECE 0.300 on 100 checked spans" in figure(html, "calibration")
    assert "At τ the model keeps 100% of 100 checked spans, of which 50% are wrong" in figure(
        html, "risk"
    )


def test_agreement_is_said_from_enough_decisions_on(client: Client, project: Project) -> None:
    user = User.objects.get(username="mei")
    for n in range(agreement.ENOUGH):
        document = factories.make_document(project, f"{n} Ada met Bo.")
        mention = factories.make_doubt(document, "Ada", "person")
        review.decide(document, user, Decision(uuid.uuid4(), "accept", mention=mention.pk))
        if n == agreement.ENOUGH - 2:
            assert "Not enough decisions yet" in figure(page(client, project), "agreement")
    drawn = figure(page(client, project), "agreement")
    assert "People agreed 100% with the local model." in drawn
    assert "Too few decisions, under 20, to say how often with the LLM" in drawn
    assert "With the local model" in drawn
    assert "With the LLM" not in drawn


def test_the_ledger_is_drawn_by_month(client: Client, project: Project) -> None:
    factories.make_document(project)
    factories.make_call(project, prompt_tokens=900, completion_tokens=100)
    drawn = figure(page(client, project), "spending")
    assert "1 request with 8 questions and sentences took 1,000 tokens." in drawn
    assert drawn.count('<rect class="ink"') == 1
    assert f"/projects/{project.slug}/ledger/" in drawn


def test_what_answers_bought_points_both_ways(client: Client, project: Project) -> None:
    project.provider = Project.Provider.RECORDED
    project.save()
    to = whom(project)
    for n, (local, answer) in enumerate(
        [("place", "person"), ("place", "person"), ("person", "O")]
    ):
        document = factories.make_gold(project, f"{n} Ada.", ("Ada", "person"), split="dev")
        factories.make_prediction(document, "Ada", local, uncertainty=0.7)
        factories.make_question(
            document, "Ada", answer, model=to.model, prompt_version=to.prompt_version
        )
    drawn = figure(page(client, project), "value")
    assert "the LLM put 2 labels right and 1 wrong" in drawn
    assert '<rect class="wrong" x="25%" y="24" width="25%"' in drawn
    assert '<rect class="right" x="50%" y="72" width="50%"' in drawn
    assert "Recorded answers, no live LLM." in page(client, project)


def test_names_from_outside_stay_text(client: Client, reader: User) -> None:
    project = factories.make_project(annotator=reader, labels=("<img src=x>",))
    document = factories.make_document(project)
    factories.make_mention(document, "Ada", "<img src=x>")
    assert "<img" not in page(client, project)


def test_queries_do_not_grow_with_the_work(client: Client, project: Project) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            page(client, project)
        return len(found)

    make_checked(project, 5, 5)
    before = queries()
    make_checked(project, 40, 40)
    assert queries() == before


# --- Long work -----------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", Job.Kind.values)
def test_every_kind_of_job_says_why_it_failed_and_what_that_means(
    kind: str, client: Client, project: Project
) -> None:
    owner = factories.make_user()
    factories.add_member(project, owner, "owner")
    client.force_login(owner)
    factories.make_job(project, kind, state="failed", note="The disk is full.")
    for name in ("", "model/"):
        html = client.get(f"/projects/{project.slug}/{name}").content.decode()
        failed = re.search(r'id="failed">.*?</div>', html, re.DOTALL)
        assert failed is not None
        assert "The disk is full." in failed[0]
        assert re.search(r'class="remedy">[^<]{10,}', failed[0])
        assert ('id="again"' in failed[0]) == (kind != Job.Kind.TRIAL)


def test_the_front_page_shows_how_gold_grew(client: Client, project: Project) -> None:
    factories.make_gold(project, "Oslo.", ("Oslo", "place"))
    front = f"/projects/{project.slug}/"
    assert 'class="sparked"' not in client.get(front).content.decode(), "one day is no history"
    week_ago = timezone.now() - timedelta(days=7)
    project.documents.update(created_at=week_ago)
    html = client.get(front).content.decode()
    assert re.search(r'class="sparked" href="[^"]*/progress/">\s*<svg', html)
    assert "1 gold document since" in html


def test_an_annotator_cannot_try_again(client: Client, project: Project) -> None:
    factories.make_job(project, state="failed", note="The disk is full.")
    html = client.get(f"/projects/{project.slug}/").content.decode()
    assert "The disk is full." in html
    assert 'id="again"' not in html


# --- The reader's language -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("en-US,en;q=0.9", "Nov. 14, 2026"),
        ("en-GB,en;q=0.9", "14 Nov 2026"),
        ("de-DE,de;q=0.9", "Nov. 14, 2026"),
    ],
)
def test_dates_are_written_as_the_reader_does_and_never_half_translated(
    accepted: str, expected: str, client: Client, project: Project
) -> None:
    factories.make_gold(project, "Oslo.", ("Oslo", "place"))
    project.documents.update(created_at=datetime(2026, 11, 14, 12, tzinfo=UTC))
    address = f"/projects/{project.slug}/progress/"
    response = client.get(address, headers={"accept-language": accepted})
    assert expected in figure(response.content.decode(), "over-time")


def test_a_language_that_is_offered_has_its_own_numbers_in_words_and_none_in_drawings(
    client: Client, project: Project, settings: Any
) -> None:
    settings.LANGUAGES = [*settings.LANGUAGES, ("de", "German")]
    make_checked(project, 50, 50)
    address = f"/projects/{project.slug}/progress/"
    response = client.get(address, headers={"accept-language": "de"})
    drawn = figure(response.content.decode(), "calibration")
    assert "ECE 0,300" in drawn
    assert '<data value="0.80000">0,800</data>' in drawn
    assert 'cx="80%"' in drawn

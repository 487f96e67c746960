"""What a person sees of sentences that the LLM reads, and what a manager may choose."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator import pipeline, queue, suggestions
from annotator.asked import whom
from annotator.models import Document, Job, Price, Project, User
from annotator.swept import whom_sweeps
from tests import factories
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

TEXT = "Ada met Bo.\nOslo is far."


@pytest.fixture
def owner(client: Client) -> User:
    owner = factories.make_user("owner")
    client.force_login(owner)
    return owner


@pytest.fixture
def project(owner: User, settings: Any) -> Project:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", "m"
    project = factories.make_project("Harbour", owner=owner, provider=Project.Provider.OPENAI)
    factories.make_version(project, tau=0.4)
    return project


def at(name: str, project: Project, *args: object) -> str:
    return reverse(f"annotator:{name}", args=[project.slug, *args])


def text_of(answer: Any) -> str:
    """The page without tags, white space made single."""
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


def outlook(client: Client, project: Project, share: object) -> Any:
    return client.get(at("reading_outlook", project), {"sweep_share": share})


def save(client: Client, project: Project, **fields: Any) -> Any:
    given = {"sweep_share": "0", "fusion": "pool", "sure": "90"} | fields
    return client.post(at("choose_reading", project), given, follow=True)


def read(document: Document, found: dict[str, str], **fields: Any) -> None:
    to = whom_sweeps(document.project)
    sent = {"provider": to.provider, "model": to.model, "prompt_version": to.prompt_version}
    factories.make_swept_sentence(document, found, **sent | fields)
    suggestions.refresh(document.project, [document.pk])


# --- Settings ----------------------------------------------------------------------------------
def test_what_a_share_means_is_counted_before_it_is_chosen(
    client: Client, project: Project
) -> None:
    Price.objects.create(model="m", since="2020-01-01", prompt=1, completion=2)
    for number in range(4):
        document = factories.make_document(project, f"Ada met Bo {number}.\nOslo is far.")
        factories.make_tagging(document, 0.1, 0.2)
    said = text_of(outlook(client, project, 50))
    assert "4 of 8 sentences ; 4 of these still have to be read, each once." in said
    assert re.search(r"at most 0\.0\d USD", said)
    assert "0 were read so far." in said
    project.refresh_from_db()
    assert project.sweep_share == 0, "nothing was chosen yet"


def test_the_most_it_may_cost_is_what_its_requests_would_reserve(
    client: Client, project: Project, broker: Broker
) -> None:
    Price.objects.create(model="m", since="2020-01-01", prompt=1000, completion=1000)
    for number in range(15):
        factories.make_tagging(factories.make_document(project, f"Ada met Bo {number}."), 0.1)
    found = re.search(r"at most ([\d.]+) USD", text_of(outlook(client, project, 100)))
    assert found is not None
    Project.objects.update(sweep_share=100)
    client.post(at("start", project), {"kind": "sweep"})
    pipeline.dispatch(Job.objects.get())
    reserved = sum(call.amount for call in project.llm_calls.all())
    assert project.llm_calls.count() == 2
    assert float(found[1]) == pytest.approx(float(reserved), abs=0.01)


def test_without_a_price_it_says_so(client: Client, project: Project) -> None:
    factories.make_tagging(factories.make_document(project, TEXT), 0.1)
    assert "What that costs is not known: the model has no price." in text_of(
        outlook(client, project, 100)
    )


def test_before_there_is_a_model_it_says_what_is_not_known(
    client: Client, project: Project
) -> None:
    Project.objects.update(serving=None)
    factories.make_document(project, TEXT)
    said = text_of(outlook(client, project, 100))
    assert "not known yet in 1 document: it is found first, on this machine and for nothing" in said
    assert "Only then can be said what reading them may cost." in said


def test_the_prompt_page_shows_what_is_said_before_the_sentences(
    client: Client, project: Project
) -> None:
    url = at("prompt", project)
    assert "You find the names in short texts" not in text_of(client.get(url))
    Project.objects.update(sweep_share=5)
    said = text_of(client.get(url))
    assert "You find the names in short texts" in said
    assert "A = person: Names of a person." in said
    assert "from=sweep.v1" not in client.get(url).content.decode(), "it asks no question"


@pytest.mark.parametrize("share", ["-1", "101", "nan", "x", ""])
def test_what_is_no_share_is_refused(client: Client, project: Project, share: str) -> None:
    assert outlook(client, project, share).status_code == 400
    save(client, project, sweep_share=share)
    project.refresh_from_db()
    assert project.sweep_share == 0


def test_a_manager_chooses_how_much_is_read_and_how_it_is_weighed(
    client: Client, project: Project
) -> None:
    said = text_of(save(client, project, sweep_share="12.5", fusion="replace", sure="97"))
    assert "“Have sentences read” on the model page begins it now" in said
    project.refresh_from_db()
    assert (project.sweep_share, project.fusion, project.sure) == (12.5, "replace", 0.97)
    page = client.get(at("project", project)).content.decode()
    assert 'value="12.5"' in page
    assert 'value="97"' in page
    shown = client.get(f"/api/v1/projects/{project.slug}/").json()
    assert (shown["sweep_share"], shown["fusion"], shown["sure"]) == (12.5, "replace", 0.97)


@pytest.mark.parametrize(
    "fields", [{"sure": "49"}, {"sure": "101"}, {"fusion": "vote"}, {"sweep_share": "200"}]
)
def test_what_cannot_be_is_refused_with_its_place(
    client: Client, project: Project, fields: dict[str, str]
) -> None:
    answer = save(client, project, **fields)
    assert 'class="notice error"' in answer.content.decode()
    project.refresh_from_db()
    assert (project.sweep_share, project.fusion, project.sure) == (0, "pool", 0.8)


def test_who_is_sure_enough_is_seen_at_once(client: Client, project: Project) -> None:
    document = factories.make_document(project, TEXT, status="tagged")
    factories.make_prediction(document, "Ada", "person", uncertainty=0.7)
    factories.make_question(document, "Ada", "person", **asdict(whom(project)))
    pool = {
        "labels": ["person"],
        "weights": {"entity": 4.0, "label person": 0.0, "local": 0.0}
        | {"question this": 0.0, "sweep unasked": 0.0},
        "cut": 0.5,
        "spans": 250,
    }
    project.serving.thresholds.update(pool=pool)
    save(client, project, sure="90")
    suggestions.refresh_under_review(project)
    assert not document.mentions.get().needs_person
    save(client, project, sure="99.5")
    assert document.mentions.get().needs_person
    assert "is weighed by what 250 checked spans say" in text_of(client.get(at("model", project)))


@pytest.mark.parametrize("provider", ["recorded", "transformers", ""])
def test_another_llm_cannot_read_and_the_page_says_why(
    client: Client, project: Project, settings: Any, provider: str
) -> None:
    settings.LLM_FOLDER = "/models/tiny"
    Project.objects.update(provider=provider, recording="demo")
    page = client.get(at("project", project))
    assert 'name="sweep_share"' not in page.content.decode()
    assert "To have sentences read, choose an LLM server above" in text_of(page)
    assert ("only chooses among the labels" in text_of(page)) == bool(provider)
    assert outlook(client, project, 50).status_code == 404
    save(client, project, sweep_share="50", sure="95")
    project.refresh_from_db()
    assert (project.sweep_share, project.sure) == (0, 0.95)
    model = client.get(at("model", project)).content.decode()
    assert re.search(r'id="start-sweep"[^>]* disabled', model)


def test_only_managers_choose_and_count(client: Client, project: Project) -> None:
    annotator = factories.make_user()
    factories.add_member(project, annotator)
    client.force_login(annotator)
    assert outlook(client, project, 50).status_code in (403, 404)
    assert save(client, project, sweep_share="50").status_code in (403, 404)
    assert "Reading whole sentences" not in text_of(client.get(at("project", project)))
    client.force_login(factories.make_user())
    assert outlook(client, project, 50).status_code == 404
    project.refresh_from_db()
    assert project.sweep_share == 0


# --- Starting ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("serves", "kind"), [(True, "sweep"), (False, "split")])
def test_the_button_has_sentences_read_and_finds_them_first_where_nobody_knows_them(
    client: Client, project: Project, broker: Broker, serves: bool, kind: str
) -> None:
    Project.objects.update(sweep_share=100, **({} if serves else {"serving": None}))
    project.refresh_from_db()
    document = factories.make_document(project, TEXT)
    if serves:
        factories.make_tagging(document, 0.5, 0.5)
    page = client.get(at("model", project)).content.decode()
    assert not re.search(r'id="start-sweep"[^>]* disabled', page)
    client.post(at("start", project), {"kind": "sweep"})
    assert Job.objects.get().kind == kind


def test_the_api_does_the_same(client: Client, project: Project, broker: Broker) -> None:
    Project.objects.update(sweep_share=100, serving=None)
    factories.make_document(project, TEXT)
    url = f"/api/v1/projects/{project.slug}/jobs/"
    answer = client.post(url, {"kind": "sweep"}, content_type="application/json")
    assert (answer.status_code, answer.json()["kind"]) == (201, "split")


def test_a_share_of_nothing_cannot_be_started(client: Client, project: Project) -> None:
    page = client.get(at("model", project))
    assert re.search(r'id="start-sweep"[^>]* disabled', page.content.decode())
    answer = client.post(at("start", project), {"kind": "sweep"}, follow=True)
    assert "No share of the sentences is to be read" in text_of(answer)
    assert not Job.objects.exists()


# --- Reviewing ---------------------------------------------------------------------------------
@pytest.fixture
def document(project: Project) -> Document:
    document = factories.make_document(project, TEXT, status="tagged")
    factories.make_tagging(document)
    factories.make_prediction(document, "Ada", "person", uncertainty=0.1)
    return document


def why(client: Client, document: Document, words: str) -> Any:
    mention = document.mentions.get(form=words)
    url = at("why", document.project, document.pk)
    return client.get(url, {"mention": mention.pk})


def test_a_proposal_is_marked_as_one_in_words_and_says_why_it_is_shown(
    client: Client, document: Document
) -> None:
    read(document, {"Oslo": "place"})
    answer = why(client, document, "Oslo")
    page, said = answer.content.decode(), text_of(answer)
    assert '<span class="badge">found by the LLM reading the sentence</span>' in page
    assert "LLM, reading the whole sentence place" in said
    assert "Went to: LLM → you" in said
    rows = client.get(at("sheet", document.project, document.pk)).json()["mentions"]
    oslo = next(row for row in rows if row["source"] == "sweep")
    assert (oslo["needs"], oslo["maybe"]) == (True, True)
    assert (
        oslo["reason"] == "Reading the whole sentence, the LLM found this place; nobody else did."
    )
    assert "u" not in oslo, "nobody said how sure this is"


def test_what_the_reading_says_of_other_spans_is_shown_too(
    client: Client, document: Document
) -> None:
    read(document, {})
    said = text_of(why(client, document, "Ada"))
    assert "LLM, reading the whole sentence named nothing here" in said


def test_how_probably_it_is_right_is_shown_as_a_number(client: Client, document: Document) -> None:
    read(document, {"Oslo": "place"})
    document.mentions.filter(source="sweep").update(right=0.834, maybe=False)
    said = text_of(why(client, document, "Oslo"))
    assert "Taken together place right with 83%" in said
    document.mentions.filter(source="sweep").update(right=0.612, maybe=True)
    said = text_of(why(client, document, "Oslo"))
    assert "Taken together not an entity right with 61%" in said


def test_what_does_not_stand_there_so_is_listed_until_the_document_is_gold(
    client: Client, document: Document
) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    read(document, {}, ungrounded=[["Adah", "person"], [nasty, ""], ["Adah", "person"], ["", "x"]])
    page = client.get(at("review", document.project, document.pk)).content.decode()
    assert nasty not in page
    url = at("sheet", document.project, document.pk)
    assert client.get(url).json()["unplaced"] == [["Adah", "person"], [nasty, ""]]
    Document.objects.update(status="gold")
    assert client.get(url).json()["unplaced"] == []


def test_another_llms_reading_is_not_shown(client: Client, document: Document) -> None:
    read(document, {}, ungrounded=[["Adah", "person"]], model="another")
    assert "Adah" not in client.get(at("review", document.project, document.pk)).content.decode()


# --- The queue before there is a model ---------------------------------------------------------
def test_what_nobody_has_read_comes_before_what_is_settled(project: Project) -> None:
    settled = factories.make_document(project, TEXT, status="tagged")
    unread = factories.make_document(project, TEXT)
    doubtful = factories.make_document(project, TEXT)
    factories.make_mention(doubtful, "Oslo", "place", source="sweep", needs_person=True)
    order = [queue.next_document(project)]
    while len(order) < 3:
        order.append(queue.next_document(project, order[-1]))
    assert order == [doubtful, unread, settled]

"""The page of what the LLM cost and brought: who sees what, who may act, and what it says."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from annotator.asked import whom
from annotator.models import Label, LLMCall, Price, Project, Spending, User
from mlworker.schema import Frontier, Point, Route, Scores
from tests import factories

pytestmark = pytest.mark.django_db

RAW = '{"answers": [{"id": 1, "choice": "<script>alert(1)</script>"}]}'


@pytest.fixture(autouse=True)
def _server(settings: Any) -> None:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", "big"


@pytest.fixture
def reader(client: Client) -> User:
    """An annotator, signed in."""
    reader = factories.make_user()
    client.force_login(reader)
    return reader


@pytest.fixture
def project(reader: User) -> Project:
    project = factories.make_project(
        "Letters", annotator=reader, provider=Project.Provider.OPENAI, monthly_budget=Decimal(20)
    )
    factories.make_version(project, tau=0.4)
    return project


@pytest.fixture
def owner_client(project: Project) -> Client:
    owner = factories.make_user()
    factories.add_member(project, owner, "owner")
    client = Client()
    client.force_login(owner)
    return client


def address(project: Project, call: LLMCall | None = None) -> str:
    return f"/projects/{project.slug}/ledger/{f'{call.pk}/' if call else ''}"


def said(client: Client, url: str) -> str:
    """The page's words, with single blanks."""
    response = client.get(url)
    assert response.status_code == 200
    page = response.content.decode().replace("</th>", "</th> ")
    return re.sub(r"\s+", " ", strip_tags(page))


def price(**fields: Any) -> Price:
    fields = {"prompt": Decimal(1), "completion": Decimal(2)} | fields
    return Price.objects.create(model="big", since=date(2020, 1, 1), **fields)


def make_wrong(project: Project, times: int) -> None:
    """The local model says place and is right; the LLM says it is no entity."""
    to = whom(project)
    for _ in range(times):
        document = factories.make_gold(project, "Ada met Bo.", ("Bo", "place"), split="dev")
        factories.make_prediction(document, "Bo", "place", uncertainty=0.7)
        factories.make_question(
            document,
            "Bo",
            "O",
            provider=to.provider,
            model=to.model,
            prompt_version=to.prompt_version,
        )


# --- Who sees what, and may do what ------------------------------------------------------------
def test_nobody_sees_the_requests_of_a_foreign_project(client: Client, project: Project) -> None:
    other = factories.make_project("Secrets", provider=Project.Provider.OPENAI)
    foreign = factories.make_call(other, model="foreign-model", raw="secret", reason="secret")
    factories.make_call(project)
    assert client.get(address(other)).status_code == 404
    assert client.get(address(other, foreign)).status_code == 404
    assert client.get(address(project, foreign)).status_code == 404
    words = said(client, address(project))
    assert "foreign-model" not in words
    assert "secret" not in words


def test_members_read_and_only_managers_may_stop(
    client: Client, owner_client: Client, project: Project
) -> None:
    make_wrong(project, 6)
    factories.make_call(project)
    assert "The LLM loses on place" in said(client, address(project))
    assert "Stop asking about place" not in said(client, address(project))
    place = project.labels.get(name="place")
    url = f"/projects/{project.slug}/labels/{place.pk}/ask/"
    assert client.post(url, {"ask": "no"}).status_code == 404
    place.refresh_from_db()
    assert place.ask_llm
    assert "Stop asking about place" in said(owner_client, address(project))
    after = owner_client.post(url, {"ask": "no"}, follow=True).content.decode()
    assert "is not asked about place any more" in after
    place.refresh_from_db()
    assert not place.ask_llm
    assert "Nobody asks the LLM about place" in after
    assert "Stop asking about place" not in after
    assert "LLM not asked" in said(owner_client, f"/projects/{project.slug}/")
    owner_client.post(url, {"ask": "yes"})
    place.refresh_from_db()
    assert place.ask_llm


def test_a_label_of_another_project_and_half_an_answer_are_refused(
    owner_client: Client, project: Project
) -> None:
    foreign = factories.make_project("Secrets").labels.get(name="place")
    url = f"/projects/{project.slug}/labels/{foreign.pk}/ask/"
    assert owner_client.post(url, {"ask": "no"}).status_code == 404
    place = project.labels.get(name="place")
    url = f"/projects/{project.slug}/labels/{place.pk}/ask/"
    assert owner_client.post(url, {"ask": "perhaps"}).status_code == 400
    assert owner_client.post(url).status_code == 400
    assert owner_client.get(url).status_code == 405
    assert not Label.objects.filter(ask_llm=False).exists()


# --- What it says ------------------------------------------------------------------------------
def test_before_anything_was_asked_it_says_so(client: Client, project: Project) -> None:
    assert "Nothing was asked yet" in said(client, address(project))
    Project.objects.update(provider="")
    assert "This project asks no LLM" in said(client, address(project))


def test_what_was_spent_stands_beside_the_budget(client: Client, project: Project) -> None:
    price()
    tokens = {"prompt_tokens": 1200, "completion_tokens": 34}
    factories.make_call(project, micros=1_500_000, latency_ms=2500, **tokens)
    this_month = LLMCall.objects.get().created_at.date().replace(day=1)
    Spending.objects.create(project=project, month=this_month, micros=1_500_000)
    words = said(client, address(project))
    assert "1.50 USD" in words
    assert "of 20.00 at most" in words
    assert "1,234" in words
    assert "2.5 s" in words


def test_without_a_price_tokens_stand_for_money(client: Client, project: Project) -> None:
    factories.make_call(project, prompt_tokens=5)
    words = said(client, address(project))
    assert "No price is known for this LLM" in words
    assert "USD" not in words
    price()
    assert "USD" in said(client, address(project))


def test_recorded_answers_are_not_said_to_lack_a_price(client: Client, project: Project) -> None:
    factories.make_call(project)
    Project.objects.filter(pk=project.pk).update(provider="recorded")
    words = said(client, address(project))
    assert "cost nothing" in words
    assert "o price is known" not in words


def test_requests_of_unknown_end_are_listed_with_what_is_reserved(
    client: Client, project: Project
) -> None:
    factories.make_call(project)
    assert "nobody knows the end of" not in said(client, address(project))
    for _ in range(12):
        factories.make_call(project, state="unknown", micros=2500, reason="its lease ran out")
    words = said(client, address(project))
    assert "12 requests that nobody knows the end of" in words
    assert words.count("0.0025 USD reserved · its lease ran out") == 10
    assert "stays counted: 0.0300 USD" in words
    assert "All 12" in words
    listed = client.get(address(project), {"state": "unknown"}).context["page"]
    assert listed.paginator.count == 12


def test_requests_come_in_pages_and_by_outcome(client: Client, project: Project) -> None:
    for _ in range(26):
        factories.make_call(project)
    failed = factories.make_call(project, state="failed", prompt_version="sweep.v1+a")
    pages = [client.get(address(project), {"page": n}).context["page"] for n in (1, 2)]
    assert [len(page.object_list) for page in pages] == [25, 2]
    assert pages[0].object_list[0] == failed
    assert "8 sentences" in said(client, address(project))
    chosen = client.get(address(project), {"state": "failed"}).context["page"]
    assert list(chosen.object_list) == [failed]
    everything = client.get(address(project), {"state": "nonsense", "page": "x"}).context["page"]
    assert everything.paginator.count == 27


def test_recorded_answers_are_never_taken_for_a_live_llm(client: Client, project: Project) -> None:
    Project.objects.update(provider="recorded", recording="demo")
    factories.make_call(project, provider="recorded")
    assert "Recorded answers, no live LLM" in said(client, address(project))


# --- The best way ------------------------------------------------------------------------------
def judge(project: Project, *points: Point) -> None:
    threshold = project.threshold()
    assert threshold is not None
    threshold.frontier = Frontier(120, 480, list(points)).to_json()
    threshold.save()


LOCAL = Point(Route.LOCAL, 0, Scores(60.0, 60.0, 60.0), 0, 0, -10.0, -13.0, -7.0)
REPLACE = Point(Route.REPLACE, 0, Scores(70.0, 70.0, 70.0), 60, 0)
POOL = Point(Route.POOL, 0, Scores(72.0, 72.0, 72.0), 60, 0)
READ = Point(Route.BOTH, 25, Scores(75.0, 75.0, 75.0), 60, 90, 3.0, 0.5, 5.5)


def test_it_says_what_asking_finds_and_what_reading_would_add(
    client: Client, project: Project
) -> None:
    factories.make_call(project)
    judge(project, LOCAL, POOL, READ)
    words = said(client, address(project))
    assert "On your 120 checked documents, with 480 mentions," in words
    assert "asking about routed spans finds 72.0% of the mentions with an F1 of 72.0" in words
    assert "the local model alone has 60.0." in words
    assert "Reading 25% of the sentences would add 3.0 points of F1 (+0.5 to +5.5) at" in words
    assert "−10.0 −13.0 to −7.0" in words


def test_what_may_be_chance_is_said_to_be(client: Client, project: Project) -> None:
    factories.make_call(project)
    unsure = Point(Route.BOTH, 25, Scores(73.0, 73.0, 73.0), 60, 90, 1.0, -0.5, 2.5)
    near = Point(Route.LOCAL, 0, Scores(71.0, 71.0, 71.0), 0, 0, -1.0, -2.0, 1.0)
    judge(project, near, POOL, unsure)
    words = said(client, address(project))
    assert "a difference that may be chance" in words
    assert "adds nothing beyond chance" in words


def test_where_nothing_was_read_or_too_little_checked_it_says_how_to_find_out(
    client: Client, project: Project
) -> None:
    factories.make_call(project)
    assert "there is no held-out gold to judge by" in said(client, address(project))
    factories.make_gold(project, "Ada.", split="dev")
    assert "held-out gold (1 document)" in said(client, address(project))
    judge(project, LOCAL, REPLACE)
    assert "What reading whole sentences would add is not known" in said(client, address(project))
    alone = Point(Route.SWEEP, 100, Scores(50.0, 80.0, 61.5), 0, 200, -8.5, -12.0, -4.0)
    judge(project, LOCAL, REPLACE, alone)
    assert "cannot be judged yet" in said(client, address(project))


# --- One request -------------------------------------------------------------------------------
def test_a_request_shows_what_came_back_as_text(client: Client, project: Project) -> None:
    call = factories.make_call(project, raw=RAW, micros=1234, prompt_tokens=50, latency_ms=800)
    document = factories.make_document(project, "Ada met Bo.")
    factories.make_question(document, "Bo", "person", call=call)
    factories.make_question(document, "Ada", "", call=call, reason="not among the options")
    page = client.get(address(project, call)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    words = said(client, address(project, call))
    assert "Bo person" in words
    assert "Ada none: not among the options" in words
    assert "0.0012 USD" in words


def test_a_request_to_read_shows_how_much_was_found(client: Client, project: Project) -> None:
    call = factories.make_call(project, prompt_version="sweep.v1+a", questions_count=2)
    document = factories.make_document(project, "Ada met Bo.")
    factories.make_swept_sentence(document, {"Ada": "person", "Bo": "person"}, call=call)
    words = said(client, address(project, call))
    assert "Ada met Bo. 2" in words
    assert "2 sentences" in words


# --- Cost of the page itself -------------------------------------------------------------------
def test_it_takes_as_many_queries_for_many_rows_as_for_few(
    client: Client, project: Project
) -> None:
    def rows(count: int) -> None:
        make_wrong(project, count)
        for state in LLMCall.State.values:
            for number in range(count):
                factories.make_call(project, state=state, prompt_version=f"prompt.{number}")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address(project)).status_code == 200
        return len(seen)

    judge(project, LOCAL, POOL, READ)
    rows(1)
    few = queries()
    rows(15)
    assert queries() == few

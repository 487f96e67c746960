"""Budgets of what an LLM may cost: no request is sent that one has no room for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from html import unescape
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from annotator import chunks, ledger, linking, pipeline, spending
from annotator.models import (
    Chunk,
    Document,
    Job,
    LLMCall,
    Price,
    Project,
    Spending,
    User,
    WorkerBeat,
)
from mlworker.llm.prompt import build
from mlworker.schema import AskRequest, Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker, link
from tests.factories import MODEL

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _server(llm_server: None, settings: Any) -> None:
    settings.CHUNK_QUESTIONS = 1


@pytest.fixture
def project() -> Project:
    """Three spans are to be asked about, each in a request of its own."""
    project = factories.make_project(provider=Project.Provider.OPENAI, monthly_budget=Decimal(1))
    factories.make_version(project, tau=0.4)
    for n in range(3):
        document = factories.make_document(project, f"Ada met Bo {n}.", status="tagged")
        factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    return project


@pytest.fixture
def price() -> Price:
    return factories.make_price()


def spent() -> int:
    return sum(Spending.objects.values_list("micros", flat=True))


def lose() -> None:
    Chunk.objects.filter(state="sent").update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.sweep()


def test_the_price_of_a_day_is_the_newest_that_had_begun(price: Price) -> None:
    later = Price.objects.create(model=MODEL, since=date(2026, 5, 1), prompt=1, completion=2)
    assert Price.on(MODEL, date(2026, 4, 30)) == price
    assert Price.on(MODEL, date(2026, 5, 1)) == later
    assert Price.on(MODEL, date(2019, 12, 31)) is None
    assert Price.on("another", date(2026, 5, 1)) is None
    assert price.micros(100, 10) == 24_000
    assert Price(prompt=Decimal("0.15"), completion=Decimal("0.6")).micros(7, 0) == 2


def test_what_a_request_may_cost_is_reserved_and_what_it_did_cost_remains(
    project: Project, price: Price, broker: Broker
) -> None:
    link(project)
    requests = broker.all("llm")
    assert len(requests) == 3
    reserved = LLMCall.objects.values_list("micros", flat=True)
    assert spent() == sum(reserved) > 3 * 24_000
    for request in requests:
        workers.deliver(workers.answer(request, Bo="person"))
    assert set(reserved.all()) == {24_000}
    assert spent() == 72_000
    assert spending.this_month(project).amount == Decimal("0.072")


def test_no_request_goes_out_that_the_budget_has_no_room_for(
    project: Project, price: Price, broker: Broker
) -> None:
    pipeline.cancel(link(project))
    most = LLMCall.objects.first().micros
    assert most > 0
    for request in broker.all("llm"):
        workers.deliver(workers.outcome(request, Outcome.REFUSED, billed=False))
    assert spent() == 0
    project.monthly_budget = round(Decimal(3 * most) / 1_000_000, 2) - Decimal("0.01")
    project.save()
    LLMCall.objects.all().delete()
    job = link(project)
    assert len(broker.all("llm")) == 2
    assert job.state == Job.State.FAILED
    assert "This month's LLM budget of" in job.note
    assert LLMCall.objects.count() == 2
    assert spent() == 2 * most <= project.monthly_budget * 1_000_000


def test_the_project_page_says_that_the_budget_ended_it_and_how_to_go_on(
    project: Project, price: Price, broker: Broker, client: Client
) -> None:
    project.monthly_budget = Decimal("0.01")
    project.save()
    link(project)
    reader = factories.make_user()
    factories.add_member(project, reader)
    client.force_login(reader)
    page = unescape(client.get(f"/projects/{project.slug}/").content.decode())
    assert "This month's LLM budget of 0.01" in page
    assert "What is left goes to people; ask again with a larger budget or next month." in page


def test_a_command_that_the_budget_ends_leaves_its_reason_too(
    project: Project, price: Price
) -> None:
    project.monthly_budget = Decimal("0.01")
    project.save()
    with pytest.raises(CommandError, match="This month's LLM budget"):
        call_command("link", project.name)
    job = project.jobs.get()
    assert job.state == Job.State.FAILED
    assert "This month's LLM budget of 0.01" in job.note
    assert not LLMCall.objects.exists()


def test_a_budget_without_a_price_sends_nothing_and_says_where_to_enter_one(
    project: Project, broker: Broker
) -> None:
    job = link(project)
    assert (job.state, broker.all("llm")) == (Job.State.FAILED, [])
    assert f"no price for {MODEL}" in job.note
    Project.objects.update(monthly_budget=None)
    link(Project.objects.get())
    assert len(broker.all("llm")) == 3
    assert spent() == 0


def test_a_server_that_answers_with_an_error_costs_nothing_and_silence_may(
    project: Project, price: Price, broker: Broker
) -> None:
    link(project)
    first, second, third = broker.all("llm")
    most = LLMCall.objects.first().micros
    workers.deliver(workers.outcome(first, Outcome.RETRY, billed=False, retry_after=600.0))
    workers.deliver(workers.outcome(second, Outcome.RETRY, billed=True, retry_after=600.0))
    workers.deliver(workers.outcome(third, Outcome.SPLIT, billed=False))
    assert sorted(LLMCall.objects.values_list("micros", flat=True)) == [0, 0, most]
    assert spent() == most


def test_an_attempt_that_a_worker_began_and_never_ended_stays_counted(
    project: Project, price: Price, broker: Broker
) -> None:
    link(project)
    waiting, begun, _ = broker.all("llm")
    chunks.begin(begun["chunk"], begun["attempt"])
    lose()
    call = LLMCall.objects.get(chunk=begun["chunk"], attempt=1)
    assert (call.state, call.micros > 0) == ("unknown", True)
    never = LLMCall.objects.get(chunk=waiting["chunk"], attempt=1)
    assert (never.state, never.micros) == ("unknown", 0)
    workers.deliver(workers.answer(begun, Bo="person"))
    call.refresh_from_db()
    assert (call.state, call.micros) == ("answered", 24_000)


def test_an_attempt_that_a_worker_may_have_begun_stays_counted(
    project: Project, price: Price, broker: Broker
) -> None:
    """It was there; that it began may have been lost with a process that was killed."""
    WorkerBeat.objects.create(queue="llm", seen_at=timezone.now())
    link(project)
    request = broker.all("llm")[0]
    lose()
    call = LLMCall.objects.get(chunk=request["chunk"], attempt=1)
    assert (call.state, call.micros > 0) == ("unknown", True)


def test_what_no_broker_took_costs_nothing_whoever_is_there(
    project: Project, price: Price, storage: Path
) -> None:
    WorkerBeat.objects.create(queue="llm", seen_at=timezone.now())
    with Broker("redis+socket:///nowhere/redis.sock"):
        link(project)
    assert set(LLMCall.objects.values_list("state", "micros")) == {("unsent", 0)}
    assert spent() == 0


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_comes_while_its_request_is_called_unsent_is_settled_once(
    project: Project, price: Price, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker failed, but had taken it."""
    link(project)
    request = broker.take("llm") or {}
    chunk = Chunk.objects.get(pk=request["chunk"])
    answer = {"ok": workers.answer(request, Bo="person").to_json()}
    release, released, delivered = spending.release, Event(), Event()

    def slowly(call: LLMCall) -> None:
        released.set()
        delivered.wait(1)  # it does not come: it waits for the chunk
        release(call)

    def deliver() -> None:
        released.wait(20)
        pipeline.deliver(answer, None)
        delivered.set()

    monkeypatch.setattr(spending, "release", slowly)
    unsent = partial(ledger.mark_unsent, chunk, "no broker")
    assert workers.at_once([unsent, deliver]) == [None, None]
    assert LLMCall.objects.get(chunk=chunk).state == "answered"
    assert spent() == sum(LLMCall.objects.values_list("micros", flat=True))


def test_recorded_answers_and_another_month_cost_nothing(
    project: Project, price: Price, broker: Broker
) -> None:
    last_month = timezone.localdate().replace(day=1) - timedelta(days=1)
    Spending.objects.create(project=project, month=last_month.replace(day=1), micros=10**9)
    pipeline.cancel(link(project))
    assert len(broker.all("llm")) == 3
    assert spending.this_month(project).micros < 10**7
    Spending.objects.all().delete()
    LLMCall.objects.all().delete()
    Project.objects.update(provider=Project.Provider.RECORDED, recording="demo")
    link(Project.objects.get())
    assert spent() == 0


@pytest.mark.parametrize("after", [False, True])
def test_a_request_is_settled_in_the_month_that_it_was_reserved_in(
    project: Project, price: Price, broker: Broker, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Be it that the month ends just before that, or just after."""
    april = datetime(2100, 4, 1, tzinfo=timezone.get_current_timezone())
    now, reserve = [april - timedelta(seconds=1)], spending.reserve

    def at_midnight(*given: Any) -> int:
        if not after:
            now[0] = april
        reserved = reserve(*given)
        now[0] = april
        return reserved

    monkeypatch.setattr(timezone, "now", lambda: now[0])
    monkeypatch.setattr(spending, "reserve", at_midnight)
    link(project)
    for request in broker.all("llm"):
        workers.deliver(workers.answer(request, Bo="person"))
    paid = Counter[date]()
    for call in LLMCall.objects.all():
        paid[timezone.localdate(call.created_at).replace(day=1)] += call.micros
    assert dict(Spending.objects.values_list("month", "micros")) == paid
    assert spent() == 72_000


@pytest.mark.django_db(transaction=True)
def test_many_at_once_never_exceed_the_budget(project: Project, price: Price) -> None:
    job = chunks.open_job(project, Job.Kind.LINK, linking.prepare(project), follow=False)
    asked = AskRequest.from_json(linking.request(Chunk.objects.filter(job=job).first()))
    call = LLMCall.objects.get()
    most = call.micros
    Spending.objects.update(micros=0)
    project.monthly_budget = Decimal(5 * most) / 1_000_000
    project.save()

    call.project = project
    results = workers.at_once([lambda: spending.reserve(call, asked)] * 16)
    won = sum(result == most for result in results)
    assert 1 <= won <= 5
    assert spent() == most * won


# --- The pages ---------------------------------------------------------------------------------
def test_operators_keep_prices_and_nobody_else_sees_them(client: Client) -> None:
    person, operator = factories.make_user(), factories.make_user(is_superuser=True)
    client.force_login(person)
    assert client.get("/prices/").status_code == 403
    client.force_login(operator)
    given = {"model": MODEL, "since": "2026-01-01", "prompt": "0.15", "completion": "100"}
    page = client.post("/prices/", given, follow=True).content.decode()
    assert MODEL in page
    assert "0.15" in page
    assert ">100<" in page
    twice = client.post("/prices/", given)
    assert twice.status_code == 422
    assert "has a price from this day on already" in twice.content.decode()
    wrong = client.post("/prices/", given | {"since": "2026-02-01", "prompt": "-1"})
    assert wrong.status_code == 422
    price = Price.objects.get()
    client.force_login(person)
    assert client.post(f"/prices/{price.pk}/remove/").status_code == 403
    client.force_login(operator)
    client.post(f"/prices/{price.pk}/remove/")
    assert not Price.objects.exists()


def test_a_project_says_its_budget_and_what_is_spent(
    client: Client, project: Project, price: Price
) -> None:
    owner: User = factories.make_user()
    project.memberships.create(user=owner, role="owner")
    Spending.objects.create(
        project=project, month=timezone.localdate().replace(day=1), micros=1_230_000
    )
    client.force_login(owner)
    at = f"/projects/{project.slug}/"
    assert "1.23 USD spent or under way" in client.get(at).content.decode()
    client.post(f"{at}llm/", {"provider": "openai", "monthly_budget": "7.50"})
    project.refresh_from_db()
    assert project.monthly_budget == Decimal("7.50")
    page = client.post(f"{at}llm/", {"provider": "openai", "monthly_budget": "-1"}, follow=True)
    assert "greater than or equal to 0" in page.content.decode()
    price.delete()
    assert "The model has no price yet" in client.get(at).content.decode()
    client.post(f"{at}llm/", {"provider": "openai", "monthly_budget": ""})
    project.refresh_from_db()
    assert project.monthly_budget is None


def test_the_database_refuses_negative_prices_and_spending(project: Project) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Price.objects.create(model=MODEL, since=date(2026, 1, 1), prompt=-1, completion=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        Spending.objects.create(project=project, month=date(2026, 1, 1), micros=-1)


def test_a_doubled_settlement_counts_once(project: Project, price: Price, broker: Broker) -> None:
    link(project)
    request = broker.all("llm")[0]
    answer = workers.answer(request, Bo="person")
    workers.deliver(answer)
    before = spent()
    workers.deliver(answer)
    chunk = Chunk.objects.get(pk=request["chunk"])
    assert not ledger.settle(chunk, answer)
    assert spent() == before
    assert Document.objects.count() == 3


def test_an_answer_may_be_no_longer_than_what_was_reserved_pays_for(
    project: Project, price: Price, broker: Broker
) -> None:
    """Or one that runs on would cost more than the whole budget."""
    link(project)
    request = AskRequest.from_json(broker.take("llm"))
    assert request.most_tokens == spending.most_of_answer(request)
    call = LLMCall.objects.get(chunk=request.chunk)
    assert call.micros >= price.micros(1, request.most_tokens or 0)
    Project.objects.update(monthly_budget=None)
    lose()
    assert AskRequest.from_json(broker.all("llm")[-1]).most_tokens is None


def test_an_answer_whose_tokens_are_not_counted_costs_what_was_reserved(
    project: Project, price: Price, broker: Broker
) -> None:
    link(project)
    request = broker.take("llm")
    before = LLMCall.objects.get(chunk=request["chunk"]).micros
    workers.deliver(replace(workers.answer(request, Bo="person"), completion_tokens=0))
    assert LLMCall.objects.get(chunk=request["chunk"]).micros == before


def test_a_prompt_costs_no_more_than_was_reserved_whatever_its_text(
    project: Project, price: Price, broker: Broker
) -> None:
    """Each byte may be a token of its own, and a span stands in its request twice."""
    Document.objects.all().delete()
    text = '\u13a0"\\\t' * 200
    document = factories.make_document(project, text, status="tagged")
    factories.make_prediction(document, text, "person", uncertainty=0.7)
    Project.objects.update(monthly_budget=1000)
    link(Project.objects.get())
    messages = build(AskRequest.from_json(broker.take("llm")))
    sent = len((messages.system + messages.user).encode())
    assert LLMCall.objects.get().micros >= price.micros(sent, 0)

"""Trying a prompt: the same held-out spans with both, paid for once, and no document changes."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from annotator import linking, pipeline, prompts, steps, suggestions, trying
from annotator.asked import whom, whom_with
from annotator.models import (
    Document,
    Job,
    LLMCall,
    Mention,
    Project,
    Prompt,
    Question,
    Spending,
    User,
)
from annotator.refusals import Impossible
from mlworker.schema import AskRequest, Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _server(llm_server: None, settings: Any) -> None:
    settings.CHUNK_QUESTIONS = 4


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def project() -> Project:
    """Three held-out documents, in each a routed "Bo" (a person) and a sure "Oslo" (a place)."""
    project = factories.make_project(provider=Project.Provider.OPENAI)
    factories.make_version(project, tau=0.4)
    held_out(project, 3)
    return project


@pytest.fixture
def changed(project: Project) -> Prompt:
    return factories.make_prompt(project)


def held_out(project: Project, count: int, **fields: Any) -> None:
    for n in range(count):
        text = f"Bo met {n} in Oslo."
        mentions = (("Bo", "person"), ("Oslo", "place"))
        document = factories.make_gold(project, text, *mentions, **{"split": "dev"} | fields)
        factories.make_prediction(document, "Bo", "group", uncertainty=0.7)
        factories.make_prediction(document, "Oslo", "place", uncertainty=0.1)


def start(project: Project, prompt: Prompt, user: User) -> Job:
    job = pipeline.try_prompt(project, prompt, user)
    pipeline.dispatch(job)
    return job


def surfaces(request: dict[str, Any]) -> list[str]:
    questions = AskRequest.from_json(request).questions
    return [q.context[q.start : q.end] for q in questions]


def text_of(request: dict[str, Any]) -> str:
    return AskRequest.from_json(request).prompt.text


def test_both_prompts_are_asked_about_the_same_spans(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    job = start(project, changed, user)
    requests = broker.all("llm")
    assert job.total == 12
    asked: dict[str, list[str]] = {}
    for request in requests:
        asked.setdefault(text_of(request), []).extend(surfaces(request))
    assert asked.keys() == {changed.text, prompts.asked.sent(None).text}
    first, second = asked.values()
    assert sorted(first) == sorted(second) == ["Bo"] * 3 + ["Oslo"] * 3


def test_the_results_are_counted_on_gold(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    factories.make_price()
    job = start(project, changed, user)
    for request in broker.all("llm"):
        better = text_of(request) == changed.text
        workers.deliver(workers.answer(request, Bo="person" if better else "group", Oslo="place"))
    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("done", 12, 0)
    found = trying.results(project.trials.get())
    assert (found.before.right, found.before.answered) == (3, 6)
    assert (found.after.right, found.after.answered) == (6, 6)
    # Two requests (of four spans and of two) each; 100 and 10 tokens each.
    for side in found.sides:
        assert (side.prompt_tokens, side.completion_tokens) == (200, 20)
        assert side.amount == Decimal("0.048")
    assert {(row.surface, *row.labels) for row in found.rows} == {
        ("Bo", "person", "group", "person"),
        ("Oslo", "place", "place", "place"),
    }
    assert Spending.objects.get().micros == 4 * 24_000
    assert not LLMCall.objects.exclude(chunk__job=job).exists()


def test_no_answer_is_not_right_even_where_gold_has_no_entity(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    Mention.objects.filter(label__name="person").update(state="rejected")
    start(project, changed, user)
    while request := broker.take("llm"):
        workers.deliver(workers.answer(request, Oslo="place"))
    found = trying.results(project.trials.get())
    assert (found.after.right, found.after.answered) == (3, 3)
    assert ("Bo", "O", "", "") in {(row.surface, *row.labels) for row in found.rows}


def test_what_was_answered_before_is_not_asked_again(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    for document in project.documents.all():
        factories.make_question(document, "Bo", "person", **asdict(whom(project)))
    start(project, changed, user)
    for request in broker.all("llm"):
        if text_of(request) != changed.text:
            assert set(surfaces(request)) == {"Oslo"}
        workers.deliver(workers.answer(request, Bo="person", Oslo="place"))
    start(project, factories.make_prompt(project, "Pick: {{options}}"), user)
    assert {text_of(request) for request in broker.all("llm")} == {"Pick: {{options}}"}


def test_a_prompt_that_comes_into_use_has_its_answers_already(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    start(project, changed, user)
    for request in broker.all("llm"):
        workers.deliver(workers.answer(request, Bo="person", Oslo="place"))
    prompts.take_into_use(project, changed)
    assert project.trials.get().is_over
    assert linking.prepare(project) == []


def test_a_trial_changes_no_document(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    open_one = factories.make_document(project, "Bo met 9 in Oslo.")
    factories.make_prediction(open_one, "Bo", "group", uncertainty=0.7)
    suggestions.refresh(project, [open_one.pk])
    kept = [*Document.objects.order_by("pk").values(), *Mention.objects.order_by("pk").values()]
    job = start(project, changed, user)
    for request in broker.all("llm"):
        workers.deliver(workers.answer(request, Bo="place", Oslo="group"))
    job.refresh_from_db()
    assert job.state == "done"
    assert kept == [
        *Document.objects.order_by("pk").values(),
        *Mention.objects.order_by("pk").values(),
    ]
    assert not Question.objects.filter(document=open_one).exists()
    assert steps.follow_up(job) is None


def test_the_papers_prompt_is_tried_one_question_a_request(
    project: Project, user: User, broker: Broker, settings: Settings
) -> None:
    settings.LLM_CONCURRENCY = 20
    paper = factories.make_prompt(project, form="question")
    start(project, paper, user)
    sizes = [len(surfaces(r)) for r in broker.all("llm") if text_of(r) == paper.text]
    assert sizes == [1] * 6


def test_routed_spans_are_tried_where_there_are_enough(
    project: Project, changed: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "SPANS", 2)
    first = trying.draw(project, changed)
    assert {(p.surface) for p in first.spans.all()} == {"Bo"}
    assert first.spans.count() == 2
    assert [*trying.draw(project, changed).spans.order_by("pk")] == [*first.spans.order_by("pk")]


def test_only_held_out_gold_is_tried_on(project: Project, changed: Prompt) -> None:
    held_out(project, 5, split="train")
    held_out(project, 5, split="test")
    trial = trying.draw(project, changed)
    assert set(trial.spans.values_list("tagging__document__split", flat=True)) == {"dev"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"provider": "recorded"}, "stay the same whatever the prompt says"),
        ({"provider": ""}, "asks no LLM"),
    ],
)
def test_without_a_live_llm_nothing_is_tried(
    project: Project, changed: Prompt, user: User, fields: dict[str, str], says: str
) -> None:
    Project.objects.update(**fields)
    project.refresh_from_db()
    with pytest.raises(Impossible, match=says):
        pipeline.try_prompt(project, changed, user)
    assert not project.trials.exists()


def test_without_held_out_gold_or_against_itself_nothing_is_tried(
    project: Project, changed: Prompt, user: User
) -> None:
    prompts.take_into_use(project, changed)
    with pytest.raises(Impossible, match="in use already"):
        pipeline.try_prompt(project, changed, user)
    prompts.take_into_use(project, None)
    project.documents.update(split="train")
    with pytest.raises(Impossible, match="no held-out gold"):
        pipeline.try_prompt(project, changed, user)
    assert not Job.objects.exists()


def test_a_trial_keeps_to_the_budget(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    factories.make_price()
    Project.objects.update(monthly_budget=Decimal("0.01"))
    project.refresh_from_db()
    job = start(project, changed, user)
    job.refresh_from_db()
    assert (job.state, broker.take("llm")) == ("failed", None)
    assert "budget" in job.note


def test_a_trial_that_failed_is_gone_on_with_where_it_stopped(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    job = start(project, changed, user)
    first, *others = broker.all("llm")
    workers.deliver(workers.answer(first, Bo="person", Oslo="place"))
    workers.deliver(workers.outcome(others[0], Outcome.REFUSED, reason="the key is wrong"))
    job.refresh_from_db()
    assert (job.state, job.note) == ("failed", "the key is wrong")
    again = pipeline.start(project, Job.Kind.TRIAL, user, follow=False)
    assert again.total == 8


def test_labels_that_change_meanwhile_end_the_trial(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    job = pipeline.try_prompt(project, changed, user)
    project.labels.filter(name="group").update(description="Bands.")
    pipeline.dispatch(job)
    job.refresh_from_db()
    assert (job.state, broker.take("llm")) == ("failed", None)
    assert "labels changed" in job.note


def test_answers_are_kept_apart_by_their_prompt(
    project: Project, changed: Prompt, user: User, broker: Broker
) -> None:
    start(project, changed, user)
    for request in broker.all("llm"):
        workers.deliver(workers.answer(request, Bo="person", Oslo="place"))
    versions = set(Question.objects.values_list("prompt_version", flat=True))
    assert versions == {
        whom(project).prompt_version,
        whom_with(project, changed).prompt_version,
    }

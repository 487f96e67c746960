"""The prompt page: what is sent to the LLM, word for word, and a changed prompt."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from annotator import pipeline, prompts
from annotator.asked import whom
from annotator.models import Job, LLMCall, Prediction, Project, Prompt, User
from mlworker.llm.prompt import built_in
from mlworker.schema import Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

KEY = "sk-very-secret-4711"
TEXT = "Choose one of\n{{options}}\nand answer as JSON."


@pytest.fixture(autouse=True)
def _server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", KEY)
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://somebody:pw-0815@127.0.0.1:1/v1", "big"


@pytest.fixture
def owner(client: Client) -> User:
    owner = factories.make_user("owner")
    client.force_login(owner)
    return owner


@pytest.fixture
def project(owner: User) -> Project:
    project = factories.make_project("Letters", owner=owner, provider=Project.Provider.OPENAI)
    factories.make_version(project, tau=0.4)
    return project


@pytest.fixture
def bo(project: Project) -> Prediction:
    """A routed span; "Ada" in another document is less doubtful, "Oslo" is not routed."""
    document = factories.make_document(project, "<b>Ada</b> met Bo in Oslo.", status="tagged")
    factories.make_prediction(document, "Ada", "person", uncertainty=0.5)
    factories.make_prediction(document, "Oslo", "place", uncertainty=0.1)
    return factories.make_prediction(document, "Bo", "person", uncertainty=0.9)


def page(client: Client, query: str = "") -> str:
    response = client.get(f"/projects/letters/prompt/{query}")
    assert response.status_code == 200
    return response.content.decode()


def post(client: Client, step: str = "", **data: Any) -> Any:
    return client.post(f"/projects/letters/prompt/{step}", data)


def change(client: Client, **fields: Any) -> Any:
    fields = {"form": "choice", "text": TEXT, "shots": "random", "per_label": 0} | fields
    return post(client, **fields)


def test_the_very_messages_are_shown_for_the_most_doubtful_span(
    client: Client, project: Project, bo: Prediction
) -> None:
    found = page(client)
    messages = prompts.show(project, bo).messages
    assert escape(messages.system) in found
    assert escape(messages.user) in found
    assert "<b>Ada</b>" not in found
    assert "It was not asked about this span" in found
    assert whom(project).prompt_version in found


def test_any_span_can_be_looked_at(client: Client, project: Project, bo: Prediction) -> None:
    oslo = Prediction.objects.get(uncertainty=0.1)
    assert escape('"span":"Oslo"') in page(client, f"?span={oslo.pk}")


@pytest.mark.parametrize("span", ["99999", "x", "1" * 30, "-1", "²"])
def test_a_span_that_is_not_there_is_not_found(client: Client, project: Project, span: str) -> None:
    assert client.get(f"/projects/letters/prompt/?span={span}").status_code == 404


def test_a_foreign_span_is_not_found(client: Client, project: Project) -> None:
    other = factories.make_project()
    factories.make_version(other)
    foreign = factories.make_prediction(factories.make_document(other), "Bo", "person")
    assert client.get(f"/projects/letters/prompt/?span={foreign.pk}").status_code == 404


def test_what_it_answered_is_shown_raw_with_tokens_and_cost(
    client: Client, project: Project, bo: Prediction
) -> None:
    to = asdict(whom(project))
    call = LLMCall.objects.create(
        project=project,
        attempt=1,
        questions_count=3,
        raw='{"answers": [<script>alert(1)</script>]}',
        prompt_tokens=1234,
        completion_tokens=56,
        micros=7800,
        **to,
    )
    factories.make_question(bo.tagging.document, "Bo", "group", call=call, probability=0.8, **to)
    found = page(client, f"?span={bo.pk}")
    assert escape(call.raw) in found
    for said in ("<strong>group</strong>, 80% sure", "1,234 tokens", "0.0078 USD", "3 questions"):
        assert said in found


def test_the_side_panel_leads_managers_there(client: Client, project: Project) -> None:
    document = factories.make_document(project, status="tagged")
    prediction = factories.make_prediction(document, "Bo", "person", uncertainty=0.9)
    question = factories.make_question(document, "Bo", "person", **asdict(whom(project)))
    mention = factories.make_mention(
        document, "Bo", "person", prediction=prediction, question=question
    )
    address = f"/projects/letters/prompt/?span={prediction.pk}#asked"
    review = f"/projects/letters/documents/{document.pk}/why/?mention={mention.pk}"
    assert address in client.get(review).content.decode()
    assert "/projects/letters/prompt/" in client.get("/projects/letters/").content.decode()
    annotator = factories.make_user()
    factories.add_member(project, annotator)
    client.force_login(annotator)
    assert address not in client.get(review).content.decode()


def test_no_secret_is_on_the_page_and_scripts_stay_forbidden(
    client: Client, project: Project, bo: Prediction
) -> None:
    response = client.get("/projects/letters/prompt/")
    assert KEY not in response.content.decode()
    assert "pw-0815" not in response.content.decode()
    policy = response["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "script-src 'self'" in policy or "default-src 'self'" in policy


def test_a_changed_prompt_is_kept_and_used(client: Client, project: Project, owner: User) -> None:
    assert change(client, text=TEXT.replace("\n", "\r\n")).status_code == 302
    made = project.prompts.get()
    assert (made.text, made.form, made.created_by) == (TEXT, "choice", owner)
    project.refresh_from_db()
    assert project.prompt is None
    assert post(client, "use/", number=made.number).status_code == 302
    project.refresh_from_db()
    assert project.prompt == made
    assert "In use: prompt 1" in page(client)
    assert escape(TEXT) in page(client)
    post(client, "use/")
    project.refresh_from_db()
    assert project.prompt is None


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"text": ""}, "text", "A prompt needs words"),
        ({"text": "Choose."}, "text", "where the labels go"),
        ({"text": "{{options}}" + "x" * 9000}, "text", "characters are too many"),
        ({"text": "{{options}}\x00"}, "text", "Null characters"),
        ({"per_label": "11"}, "per_label", "less than or equal to 10"),
        ({"per_label": "1"}, "per_label", "no gold to take examples from"),
        ({"shots": "none"}, "shots", "valid choice"),
        ({"form": "poem"}, "form", "valid choice"),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_field(
    client: Client, project: Project, fields: dict[str, str], field: str, reason: str
) -> None:
    response = change(client, **fields)
    assert response.status_code == 422
    assert reason in " ".join(response.context["form"].errors[field])
    assert escape(reason) in response.content.decode()
    assert not project.prompts.exists()


def test_one_may_begin_with_a_built_in_prompt(client: Client, project: Project) -> None:
    paper = built_in("paper.v1")
    form = client.get("/projects/letters/prompt/?from=paper.v1").context["form"]
    assert (form["text"].value(), form["form"].value()) == (paper.text, "question")
    change(client, form="question", text=paper.text)
    assert project.prompts.get().as_sent() == paper
    form = client.get("/projects/letters/prompt/?from=../../x").context["form"]
    assert form["text"].value() == built_in().text


def test_a_label_that_the_papers_prompt_cannot_offer_is_said(
    client: Client, project: Project, bo: Prediction
) -> None:
    project.labels.filter(name="group").update(name="Non-entity")
    prompts.take_into_use(project, factories.make_prompt(project, form="question"))
    assert "a label is called so" in page(client)


@pytest.mark.parametrize("number", ["", "2", "x", "9" * 20])
def test_a_prompt_that_is_not_there_cannot_be_tried(
    client: Client, project: Project, number: str
) -> None:
    factories.make_prompt(factories.make_project(), number=2)
    assert post(client, "try/", number=number).status_code == 404


def test_a_prompt_is_tried_and_taken_into_use(
    client: Client, project: Project, broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    document = factories.make_gold(project, "Bo slept.", ("Bo", "person"), split="dev")
    factories.make_prediction(document, "Bo", "group", uncertainty=0.7)
    with django_capture_on_commit_callbacks(execute=True):
        change(client, **{"try": "1"})
    assert "Trying a prompt" in page(client)
    first, second = broker.all("llm")
    workers.deliver(workers.answer(first, Bo="group"))
    workers.deliver(workers.answer(second, Bo="person"))
    found = page(client)
    assert "Prompt 1 on trial" in found
    assert "0 of 1" in found
    assert "1 of 1" in found
    live = client.get("/projects/letters/prompt/", headers={"HX-Request": "true"})
    assert "Use this prompt" in live.content.decode()
    assert "<html" not in live.content.decode()
    post(client, "use/", number=1)
    assert "on trial" not in page(client)


def test_a_trial_can_be_discarded(client: Client, project: Project) -> None:
    prompt = factories.make_prompt(project)
    trial = project.trials.create(prompt=prompt)
    post(client, "discard/")
    trial.refresh_from_db()
    assert trial.is_over
    assert project.prompts.get() == prompt


def test_a_trial_that_is_discarded_asks_nothing_more(
    client: Client, project: Project, broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    document = factories.make_gold(project, "Bo slept.", ("Bo", "person"), split="dev")
    factories.make_prediction(document, "Bo", "group", uncertainty=0.7)
    with django_capture_on_commit_callbacks(execute=True):
        change(client, **{"try": "1"})
    under_way = broker.all("llm")
    post(client, "discard/")
    assert Job.objects.get().state == "cancelled"
    for request in under_way:
        workers.deliver(workers.outcome(request, Outcome.RETRY, retry_after=0.0))
    pipeline.sweep()
    assert broker.all("llm") == []


def test_what_was_in_use_when_a_trial_began_is_not_said_to_be_in_use_for_ever(
    client: Client, project: Project
) -> None:
    document = factories.make_gold(project, "Bo slept.", ("Bo", "person"), split="dev")
    prediction = factories.make_prediction(document, "Bo", "group", uncertainty=0.7)
    first, second = factories.make_prompt(project), factories.make_prompt(project)
    project.trials.create(prompt=second).spans.set([prediction])
    in_use = '<span class="badge">in use</span>'
    assert f"Built in {in_use}" in page(client)
    prompts.take_into_use(project, first)
    found = page(client)
    assert "Prompt 2 on trial" in found
    assert in_use not in found.partition("Span by span")[0].partition("on trial")[2]


def test_why_a_prompt_cannot_be_tried_is_said(client: Client, project: Project) -> None:
    factories.make_prompt(project)
    response = client.post("/projects/letters/prompt/try/", {"number": 1}, follow=True)
    assert "no held-out gold" in response.content.decode()
    assert not Job.objects.exists()


def test_recorded_answers_are_said_to_ignore_the_prompt(
    client: Client, project: Project, bo: Prediction
) -> None:
    Project.objects.update(provider="recorded", recording="demo")
    found = page(client)
    assert "Recorded answers, no live LLM." in found
    assert 'name="try"' not in found
    assert escape('"span":"Bo"') in found


def test_another_projects_prompt_cannot_be_used(client: Client, project: Project) -> None:
    foreign = factories.make_prompt(factories.make_project(), number=7)
    assert post(client, "use/", number=foreign.number).status_code == 404
    project.refresh_from_db()
    assert project.prompt is None
    assert Prompt.objects.count() == 1


def test_examples_beside_each_question_are_chosen_and_read(
    client: Client, project: Project, bo: Prediction
) -> None:
    gold = factories.make_gold(project, "Then Cy came.", ("Cy", "person"))
    named = {"text": gold.pk, "start": 5, "end": 7, "label": "person", "similarity": 0.9}
    Prediction.objects.filter(pk=bo.pk).update(nearest=[named])
    refused = change(client, shots="nearest", per_label=4)
    assert refused.status_code == 422
    assert "names the 3 mentions most like a span" in refused.content.decode()
    assert change(client, shots="nearest", per_label=3).status_code == 302
    post(client, "use/", number=1)
    found = page(client)
    assert "Beside each question stand up to 3 examples" in found
    assert "up to 3 examples a question, most like each span in gold" in found
    assert escape('"examples":[{"context":"Then ⟦Cy⟧ came.","label":"A"}]') in found
    form = client.get("/projects/letters/prompt/").context["form"]
    assert (form["shots"].value(), form["per_label"].value()) == ("nearest", 3)

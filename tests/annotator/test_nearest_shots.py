"""Examples beside each question: the gold mentions most like its span, and never held-out gold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from annotator import linking, pipeline, prompts, shots, spending, trying
from annotator.asked import whom
from annotator.models import (
    Document,
    LLMCall,
    Mention,
    Prediction,
    Price,
    Project,
    Prompt,
    Tagging,
    User,
)
from mlworker.llm.prompt import build
from mlworker.schema import NEAREST, AskRequest, Example, Neighbour
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker, link
from tests.factories import MODEL

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("llm_server")]

TEXT = "Choose one:\n{{options}}\nAnswer as JSON."


@pytest.fixture
def owner() -> User:
    return factories.make_user("owner")


@pytest.fixture
def project(owner: User) -> Project:
    """Asks with two examples beside each question."""
    project = factories.make_project("Letters", owner=owner, provider=Project.Provider.OPENAI)
    factories.make_version(project, tau=0.4)
    prompts.take_into_use(project, make(project, owner, per_label=2))
    return project


def make(project: Project, user: User, **fields: Any) -> Prompt:
    fields = {"form": "choice", "text": TEXT, "shots": "nearest", "per_label": 2} | fields
    return prompts.make(project, user, **fields)


def learned(project: Project, name: str, label: str = "person", **fields: Any) -> Mention:
    """A mention of gold in its second line."""
    text = f"It rained.\nThen {name} came."
    return factories.make_gold(project, text, (name, label), **fields).mentions.get()


def named(mention: Mention, similarity: float = 0.8) -> dict[str, Any]:
    """`mention` as a model version names it."""
    at = mention.document_id, mention.start, mention.end
    return Neighbour(*at, mention.label.name, similarity).to_json()


def doubt(project: Project, *nearest: Mention, text: str = "", **fields: Any) -> Prediction:
    """A routed span "Bo"."""
    text = text or f"Bo met {project.documents.count()} friends."
    document = factories.make_document(project, text, **{"status": "tagged"} | fields)
    return predict(document, *nearest)


def predict(document: Document, *nearest: Mention) -> Prediction:
    prediction = factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    Prediction.objects.filter(pk=prediction.pk).update(nearest=[*map(named, nearest)])
    prediction.refresh_from_db()
    return prediction


def place(prediction: Prediction) -> shots.Place:
    return prediction.tagging.document_id, prediction.start, prediction.end


def shown(project: Project, prediction: Prediction) -> list[Example]:
    return shots.beside(project.prompt, [place(prediction)])[place(prediction)]


def surfaces(examples: list[Example]) -> list[str]:
    return [example.context[example.start : example.end] for example in examples]


def sent(broker: Broker) -> AskRequest:
    return AskRequest.from_json(broker.take("llm") or {})


# --- Which -------------------------------------------------------------------------------------
def test_each_question_is_sent_beside_what_is_most_like_its_span(
    project: Project, broker: Broker
) -> None:
    ada, cy, oslo = (
        learned(project, "Ada"),
        learned(project, "Cy"),
        learned(project, "Oslo", "place"),
    )
    doubt(project, ada, oslo, cy)
    doubt(project, cy)
    link(project)
    request = sent(broker)
    assert request.prompt.examples == []
    assert [question.examples for question in request.questions] == [
        [Example("Then Ada came.", 5, 8, "person"), Example("Then Oslo came.", 5, 9, "place")],
        [Example("Then Cy came.", 5, 7, "person")],
    ]


@pytest.mark.parametrize("split", ["dev", "test", "none"])
def test_held_out_gold_is_never_shown(project: Project, split: str) -> None:
    held_out, ada = learned(project, "Eve", split=split), learned(project, "Ada")
    assert surfaces(shown(project, doubt(project, held_out, ada))) == ["Ada"]


def test_the_text_that_is_asked_about_is_no_example_of_itself(project: Project) -> None:
    """It may have been imported to learn from and to measure on."""
    text = "Then Bo came."
    twin = factories.make_gold(project, text, ("Bo", "person")).mentions.get()
    ada = learned(project, "Ada")
    held_out = doubt(project, twin, ada, text=text, status="gold", split="dev")
    assert surfaces(shown(project, held_out)) == ["Ada"]


def test_what_is_no_gold_of_this_project_any_more_is_left_out(project: Project) -> None:
    rejected, reopened, kept = (learned(project, name) for name in ("Ada", "Cy", "Di"))
    foreign = learned(factories.make_project(), "Eve")
    prediction = doubt(project, rejected, reopened, foreign, kept)
    Mention.objects.filter(pk=rejected.pk).update(state="rejected")
    Document.objects.filter(pk=reopened.document_id).update(status="tagged")
    assert surfaces(shown(project, prediction)) == ["Di"]


def test_only_the_sentence_of_an_example_travels_and_no_long_one(project: Project) -> None:
    text = "It rained. Ada slept. " + "On and on. " * 60 + "Cy snored."
    document = factories.make_gold(project, text, ("Ada", "person"), ("Cy", "person"))
    prediction = doubt(project, *document.mentions.all())
    assert shown(project, prediction) == []
    Tagging.objects.create(
        document=document, version=project.serving, sentences=[[0, 10, 0.0], [11, 21, 0.1]]
    )
    assert shown(project, prediction) == [Example("Ada slept.", 0, 3, "person")]


def test_the_newest_version_that_predicted_a_span_names_them(project: Project) -> None:
    ada, cy = learned(project, "Ada"), learned(project, "Cy")
    before = doubt(project, ada)
    factories.make_version(project)
    assert surfaces(shown(project, before)) == ["Ada"]
    document = Document.objects.get(pk=before.tagging.document_id)
    predict(document, cy)
    assert surfaces(shown(project, before)) == ["Cy"]


def test_another_prompt_shows_none_beside_a_question(project: Project, owner: User) -> None:
    prediction = doubt(project, learned(project, "Ada"))
    for other in (None, make(project, owner, shots="random"), make(project, owner, per_label=0)):
        assert shots.beside(other, [place(prediction)]) == {}


def test_many_questions_cost_no_more_queries_than_one(
    project: Project, django_assert_num_queries: Any
) -> None:
    golds = [learned(project, f"Ada{n}") for n in range(6)]
    places = [place(doubt(project, *golds[n : n + 3])) for n in range(5)]
    for some in (places[:1], places):
        with django_assert_num_queries(4):
            found = shots.beside(project.prompt, some)
        assert [len(found[place]) for place in some] == [2] * len(some)


# --- What is kept ------------------------------------------------------------------------------
def test_what_was_sent_can_be_read_later(project: Project, broker: Broker) -> None:
    ada, cy = learned(project, "Ada"), learned(project, "Cy")
    prediction = doubt(project, ada)
    before = prompts.show(project, prediction)
    assert "Then ⟦Ada⟧ came." in before.messages.user
    link(project)
    request = sent(broker)
    assert build(request) == before.messages
    workers.deliver(workers.answer(request.to_json(), Bo="person"))
    Prediction.objects.filter(pk=prediction.pk).update(nearest=[named(cy)])
    ada.document.delete()
    after = prompts.show(project, Prediction.objects.get(pk=prediction.pk))
    assert (after.messages, after.question.answer) == (before.messages, "person")


def test_a_twin_shows_what_was_sent_for_it(project: Project, broker: Broker) -> None:
    """Also when the question that was sent went with its document."""
    text = "Bo met friends."
    first = doubt(project, learned(project, "Ada"), text=text)
    twin = doubt(project, learned(project, "Cy"), text=text)
    link(project)
    request = sent(broker)
    workers.deliver(workers.answer(request.to_json(), Bo="person"))
    first.tagging.document.delete()
    found = prompts.show(project, twin)
    assert (found.messages, found.question.answer) == (build(request), "person")


def test_examples_that_were_kept_by_the_questions_id_are_still_found(project: Project) -> None:
    document = factories.make_document(project)
    kept = Example("Then Ada came.", 5, 8, "person")
    question = factories.make_question(document, "Bo", "person", call=factories.make_call(project))
    question.call.examples = {str(question.pk): [kept.to_json()]}
    assert question.examples == [kept]


def test_a_call_without_examples_keeps_none(project: Project, broker: Broker) -> None:
    prompts.take_into_use(project, None)
    prediction = doubt(project, learned(project, "Ada"))
    link(project)
    workers.deliver(workers.answer(sent(broker).to_json(), Bo="person"))
    assert LLMCall.objects.get().examples == {}
    assert prompts.show(project, prediction).question.examples == []


def test_a_version_that_finds_others_alike_asks_nothing_anew(
    project: Project, broker: Broker
) -> None:
    prediction = doubt(project, learned(project, "Ada"))
    link(project)
    workers.deliver(workers.answer(sent(broker).to_json(), Bo="person"))
    factories.make_version(project)
    predict(Document.objects.get(pk=prediction.tagging.document_id), learned(project, "Cy"))
    assert linking.prepare(project) == []


def test_other_numbers_of_examples_are_other_prompts(project: Project, owner: User) -> None:
    assert make(project, owner) == project.prompt
    others = [
        make(project, owner, per_label=1),
        make(project, owner, per_label=0),
        project.prompt,
    ]
    versions = set()
    for prompt in others:
        prompts.take_into_use(project, prompt)
        versions.add(whom(project).prompt_version)
    assert len(versions) == 3


def test_more_than_a_version_names_are_refused(project: Project, owner: User) -> None:
    assert make(project, owner, per_label=NEAREST).per_label == NEAREST
    with pytest.raises(ValidationError) as refusal:
        make(project, owner, per_label=NEAREST + 1)
    assert "names the 3 mentions most like a span" in refusal.value.message_dict["per_label"][0]


# --- What it takes -----------------------------------------------------------------------------
def characters(request: AskRequest) -> int:
    messages = build(request)
    return len(messages.system) + len(messages.user)


@pytest.mark.parametrize("form", ["choice", "question"])
def test_the_most_that_a_request_may_cost_counts_them(
    project: Project, owner: User, broker: Broker, form: str
) -> None:
    """A tokeniser makes fewer than one token of two bytes of running text."""
    Price.objects.create(model=MODEL, since=date(2020, 1, 1), prompt=Decimal(1), completion=0)
    prompts.take_into_use(project, make(project, owner, form=form, per_label=3))
    golds = [learned(project, f"Professor Ada {'von Reventlow ' * n}") for n in (8, 9, 10)]
    doubt(project, *golds)
    link(project)
    request = sent(broker)
    assert len(request.questions[0].examples) == 3
    reserved = LLMCall.objects.get().micros
    assert reserved > characters(request) / 2
    bare = replace(request, questions=[replace(q, examples=[]) for q in request.questions])
    without = spending.reserve(LLMCall.objects.get(), bare)
    assert reserved - without > (characters(request) - characters(bare)) / 2


def test_a_trial_shows_them_too(project: Project, owner: User, broker: Broker) -> None:
    tried = make(project, owner, per_label=1)
    held_out = doubt(
        project, learned(project, "Ada"), learned(project, "Cy"), status="gold", split="dev"
    )
    factories.make_mention(held_out.tagging.document, "Bo", "person", state="accepted")
    pipeline.dispatch(pipeline.try_prompt(project, tried, owner))
    beside = []
    while request := broker.take("llm"):
        [question] = AskRequest.from_json(request).questions
        beside.append(surfaces(question.examples))
        workers.deliver(workers.answer(request, Bo="person"))
    assert beside == [["Ada", "Cy"], ["Ada"]]
    assert trying.results(project.trials.get()).after.right == 1

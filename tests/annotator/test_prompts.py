"""A project's prompts: kept as they were made, and answers kept by the words they answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from annotator import pipeline, prompts
from annotator.asked import asked_by, sent, together, whom, whom_with
from annotator.models import AppendOnlyError, Project, Prompt, User
from mlworker.llm.prompt import built_in
from mlworker.schema import Form
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = "Choose one:\n{{options}}\nAnswer as JSON."


@pytest.fixture
def user() -> User:
    return factories.make_user()


@pytest.fixture
def project() -> Project:
    return factories.make_project(provider=Project.Provider.RECORDED, recording="demo")


def make(project: Project, user: User, **fields: Any) -> Prompt:
    return prompts.make(project, user, **{"form": "choice", "text": TEXT, "per_label": 0} | fields)


def test_a_project_begins_with_the_built_in_prompt(project: Project) -> None:
    assert sent(project.prompt) == built_in("choice.v2")
    assert whom(project).prompt_version.startswith("choice.v2+")


def test_prompts_are_numbered_and_the_same_one_is_not_kept_twice(
    project: Project, user: User
) -> None:
    first, second = make(project, user), make(project, user, text=TEXT + " Now.")
    assert (first.number, second.number, first.created_by) == (1, 2, user)
    assert make(project, user) == first
    assert make(project, user, form="question").number == 3
    assert make(factories.make_project(), user).number == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs words"),
        ("  \n ", "needs words"),
        ("Choose one.", "must stand in it once, where the labels go; it is nowhere"),
        ("{{options}} or {{options}}", "it is 2 times"),
        ("{options}", "it is nowhere"),
        ("{{options}}" + "a" * 8000, "8,011 characters are too many"),
        ("{{options}}\x00", "control character"),
        ("{{options}}\x1b[2J", "control character"),
    ],
)
def test_a_text_that_cannot_be_used_is_refused_at_its_field(
    project: Project, user: User, text: str, reason: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        make(project, user, text=text)
    assert reason in refusal.value.message_dict["text"][0]
    assert not project.prompts.exists()


def test_a_prompt_is_never_changed_or_deleted(project: Project) -> None:
    prompt = factories.make_prompt(project)
    prompt.text = "Something else {{options}}"
    with pytest.raises(DatabaseError), transaction.atomic():
        prompt.save()
    with pytest.raises(AppendOnlyError):
        prompt.delete()
    with pytest.raises(AppendOnlyError):
        project.prompts.update(text="")
    with pytest.raises(AppendOnlyError):
        project.prompts.all().delete()
    with (
        pytest.raises(DatabaseError, match="prompts are append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE annotator_prompt SET text = 'x'")
    assert project.prompts.get().text == "Choose:\n{{options}}"


def test_a_project_goes_with_its_prompts(project: Project) -> None:
    prompts.take_into_use(project, factories.make_prompt(project))
    project.delete()
    assert not Prompt.objects.exists()


def test_an_answer_to_other_words_is_none(project: Project) -> None:
    document = factories.make_document(project)
    factories.make_question(document, "Ada", "person", **asdict(whom(project)))
    assert asked_by(project).count() == 1
    prompts.take_into_use(project, factories.make_prompt(project))
    assert asked_by(project).count() == 0
    prompts.take_into_use(project, None)
    assert asked_by(project).count() == 1


def test_what_is_suggested_follows_the_prompt_in_use(project: Project) -> None:
    factories.make_version(project, tau=0.4)
    document = factories.make_document(project, status="tagged")
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    other = factories.make_prompt(project)
    for prompt, answer in ((None, "place"), (other, "group")):
        factories.make_question(document, "Bo", answer, **asdict(whom_with(project, prompt)))
    for prompt, label in ((other, "group"), (None, "place"), (other, "group")):
        prompts.take_into_use(project, prompt)
        pipeline.judge_anew(project)
        assert document.mentions.get().label.name == label


def test_the_version_names_text_options_and_examples(project: Project) -> None:
    shot = {"context": "Bo slept.", "start": 0, "end": 2, "label": "person"}
    plain = factories.make_prompt(project)
    other = factories.make_prompt(project, "Pick:\n{{options}}")
    shown = factories.make_prompt(project, shots="random", per_label=1, examples=[shot])
    versions = {whom_with(project, prompt).prompt_version for prompt in (None, plain, other, shown)}
    assert len({version.partition("+")[2] for version in versions}) == 4
    before = whom_with(project, shown)
    assert before.prompt_version.startswith("prompt.3+")
    assert before == whom_with(project, Prompt.objects.get(pk=shown.pk))
    project.labels.filter(name="place").update(description="Towns.")
    assert whom_with(project, shown) != before


def test_the_papers_prompt_asks_one_question_at_a_time(project: Project, settings: Any) -> None:
    settings.CHUNK_QUESTIONS = 6
    paper = built_in("paper.v1")
    prompt = factories.make_prompt(project, paper.text, form="question")
    assert prompt.as_sent() == paper
    assert paper.form is Form.QUESTION
    assert (together(None), together(prompt)) == (6, 1)


def test_what_is_shown_is_what_is_asked_and_answered(project: Project) -> None:
    factories.make_version(project)
    document = factories.make_document(project, "Ada ⟦met⟧ Bo.")
    prediction = factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    shown = prompts.show(project, prediction)
    assert '"context":"Ada [met] ⟦Bo⟧."' in shown.messages.user
    assert (shown.question, shown.earlier) == (None, False)
    question = factories.make_question(document, "Bo", "person", **asdict(whom(project)))
    assert prompts.show(project, prediction).question == question
    project.labels.filter(name="place").update(description="Towns.")
    after = prompts.show(project, prediction)
    assert (after.question, after.earlier) == (None, True)


def test_a_span_is_found_in_its_own_project_only(project: Project) -> None:
    factories.make_version(project)
    prediction = factories.make_prediction(factories.make_document(project), "Bo", "person")
    assert prompts.find_span(project, prediction.pk) == prediction
    assert prompts.find_span(factories.make_project(), prediction.pk) is None

"""Examples from gold: from what is learned from only, settled by a seed, and honest."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from annotator import prompts, shots
from annotator.models import Correction, Document, Project
from mlworker.schema import NO_ENTITY, Example
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    """Ten documents of two lines, in each a person and a place."""
    project = factories.make_project(labels=("person", "place"))
    for n in range(10):
        text = f"It rained on day {n}.\nAda{n} went to Oslo{n} by train."
        factories.make_gold(project, text, (f"Ada{n}", "person"), (f"Oslo{n}", "place"))
    return project


def words(example: Example) -> str:
    return example.context[example.start : example.end]


def refuse(document: Document, surface: str, action: str = "reject", **fields: Any) -> None:
    start = document.text.index(surface)
    label = document.project.labels.get(name="person")
    after = {"start": start, "end": start + len(surface), "label": label} | fields
    Correction.objects.create(
        id=uuid.uuid4(),
        document=document,
        author=factories.make_user(),
        action=action,
        document_version=1,
        start_before=start,
        end_before=start + len(surface),
        label_before=label,
        **after,
    )


@pytest.mark.parametrize("per_label", [1, 3])
def test_so_many_of_each_label_and_of_no_entity(project: Project, per_label: int) -> None:
    drawn = shots.draw(project, per_label, seed=1)
    assert Counter(e.label for e in drawn) == dict.fromkeys(
        ("person", "place", NO_ENTITY), per_label
    )
    for example in drawn:
        assert words(example)
        if example.label != NO_ENTITY:
            assert words(example).startswith({"person": "Ada", "place": "Oslo"}[example.label])


def test_only_the_sentence_travels(project: Project) -> None:
    for example in shots.draw(project, 5, seed=1):
        assert "\n" not in example.context
        assert example.context.count(".") == 1


def test_the_same_gold_and_seed_give_the_same_examples(project: Project) -> None:
    drawn = shots.draw(project, 3, seed=1)
    assert drawn == shots.draw(project, 3, seed=1)
    assert any(drawn != shots.draw(project, 3, seed=seed) for seed in (2, 3))
    copy = factories.make_project(labels=("person", "place"))
    for document in project.documents.order_by("-pk"):  # other ids, another order
        n = document.text.split("day ")[1].split(".")[0]
        factories.make_gold(copy, document.text, (f"Ada{n}", "person"), (f"Oslo{n}", "place"))
    assert shots.draw(copy, 3, seed=1) == drawn


def test_what_is_measured_on_is_never_shown(project: Project) -> None:
    for split in ("dev", "test", "none"):
        factories.make_gold(project, "Held met Out.", ("Held", "person"), split=split)
    factories.make_mention(factories.make_document(project, "Open."), "Open", "person")
    drawn = shots.draw(project, 50, seed=1)
    assert not {"Held", "Out", "Open"} & {words(example) for example in drawn}


def test_no_entity_is_what_people_refused_before_it_is_words_at_random(project: Project) -> None:
    first, second, third, *_ = project.documents.order_by("pk")
    refuse(first, "train")
    refuse(second, "went to", "resize")
    refuse(third, "Ada2")  # but it is gold after all
    refused = [e for e in shots.draw(project, 2, seed=1) if e.label == NO_ENTITY]
    assert {words(example) for example in refused} == {"train", "went to"}


def test_no_entity_is_never_a_mention_of_gold(project: Project) -> None:
    for seed in range(5):
        drawn = shots.draw(project, 10, seed)
        mentions = {(e.context, e.start, e.end) for e in drawn if e.label != NO_ENTITY}
        others = {(e.context, e.start, e.end) for e in drawn if e.label == NO_ENTITY}
        assert len(others) > 5
        assert not mentions & others


def test_a_text_that_comes_twice_is_shown_once(project: Project) -> None:
    again = project.documents.first().text
    for _ in range(2):
        factories.make_gold(project, again, ("Ada0", "person"))
    drawn = shots.draw(project, 50, seed=1)
    assert len(set(drawn)) == len(drawn)


def test_the_sentence_is_that_of_the_model_and_a_long_one_is_left_out() -> None:
    project = factories.make_project(labels=("person",))
    factories.make_version(project)
    text = "It rained. Ada slept. " + "On and on. " * 60
    document = factories.make_gold(project, text, ("Ada", "person"))
    assert shots.draw(project, 1, seed=1) == []
    read = factories.make_prediction(document, "Ada", "person").tagging
    read.sentences = [[0, 10, 0.0], [11, 21, 0.0], [22, document.length, 0.0]]
    read.save()
    (example,) = (e for e in shots.draw(project, 1, seed=1) if e.label == "person")
    assert example == Example("Ada slept.", 0, 3, "person")


def test_a_prompt_keeps_the_examples_that_were_drawn_when_it_was_made(project: Project) -> None:
    user = factories.make_user()
    fields = {"form": "choice", "text": "{{options}}", "per_label": 2}
    made = prompts.make(project, user, **fields)
    drawn = made.as_sent().examples
    assert (made.shots, len(drawn)) == ("random", 6)
    for n in range(20):
        factories.make_gold(project, f"Then Eve{n} came.", (f"Eve{n}", "person"))
    made.refresh_from_db()
    assert made.as_sent().examples == drawn
    assert prompts.make(project, user, **fields).as_sent().examples != drawn


def test_examples_without_gold_are_refused_at_their_field() -> None:
    project = factories.make_project()
    factories.make_gold(project, "Nothing is named here.")
    with pytest.raises(ValidationError) as refusal:
        prompts.make(project, factories.make_user(), form="choice", text="{{options}}", per_label=1)
    assert "no gold to take examples from" in refusal.value.message_dict["per_label"][0]

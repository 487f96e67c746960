"""Gold examples beside a span: resolved within its project, and only while they are gold."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator import examples
from annotator.examples import MARGIN, GoldExample
from annotator.models import Document, Mention, Prediction, Project, User
from mlworker.schema import Neighbour
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = factories.make_user()
    client.force_login(user)
    return user


@pytest.fixture
def project(user: User) -> Project:
    project = factories.make_project(annotator=user)
    factories.make_version(project)
    return project


def make_gold(project: Project, text: str, surface: str, label: str = "place") -> Mention:
    document = factories.make_document(project, text, status=Document.Status.GOLD, split="train")
    return factories.make_mention(document, surface, label, state="accepted")


def example(mention: Mention, similarity: float = 0.8, **fields: Any) -> dict[str, Any]:
    """`mention` as a model version names it."""
    named = Neighbour(
        mention.document_id, mention.start, mention.end, mention.label.name, similarity
    )
    return named.to_json() | fields


def make_prediction(project: Project, *nearest: dict[str, Any]) -> Prediction:
    document = factories.make_document(project, "Ada left Rome.")
    mention = factories.make_doubt(document, "Rome", "place")
    prediction = mention.prediction
    assert prediction is not None
    prediction.nearest = list(nearest)
    prediction.save()
    return prediction


def resolved(project: Project, *nearest: dict[str, Any]) -> list[GoldExample]:
    prediction = make_prediction(project, *nearest)
    return examples.resolve(project, [prediction])[prediction.pk]


def test_examples_come_with_their_line_in_the_order_given(project: Project) -> None:
    first = make_gold(project, "Dear Ada,\r\nBo met us in Oslo on Monday.\nYours", "Oslo")
    second = make_gold(project, "Bo met Cy", "Cy", "person")
    assert resolved(project, example(first, 0.9), example(second, 0.41)) == [
        GoldExample(first.label, 0.9, "Bo met us in ", "Oslo", " on Monday."),
        GoldExample(second.label, 0.41, "Bo met ", "Cy", ""),
    ]


def test_a_long_line_is_cut_between_words(project: Project) -> None:
    words = "Whatever was said before " * 9
    (found,) = resolved(project, example(make_gold(project, f"{words}Oslo, {words}", "Oslo")))
    assert found.before.startswith(("… Whatever ", "… was ", "… said ", "… before "))
    assert found.before.endswith(" said before ")
    assert found.after.startswith(", Whatever was ")
    assert found.after.endswith((" Whatever …", " was …", " said …", " before …"))
    assert MARGIN - 10 < len(found.before) <= MARGIN + 2
    assert MARGIN - 10 < len(found.after) <= MARGIN + 2


@pytest.mark.parametrize("length", range(MARGIN - 2, MARGIN + 3))
def test_what_fits_is_shown_whole_and_the_rest_says_so(project: Project, length: int) -> None:
    side = "東" * length
    (found,) = resolved(project, example(make_gold(project, f"{side}Oslo{side}", "Oslo")))
    whole = length <= MARGIN
    assert found.before == (side if whole else f"… {'東' * (MARGIN + 1)}")
    assert found.after == (side if whole else f"{'東' * (MARGIN + 1)} …")


def test_gold_that_has_changed_is_left_out(project: Project) -> None:
    relabelled = make_gold(project, "in Oslo", "Oslo")
    rejected, reopened, deleted, kept = (
        make_gold(project, f"to Bergen {n}", "Bergen") for n in range(4)
    )
    named = [example(m) for m in (relabelled, rejected, reopened, deleted, kept)]
    relabelled.label = project.labels.get(name="group")
    relabelled.save()
    Mention.objects.filter(pk=rejected.pk).update(state="rejected")
    Document.objects.filter(pk=reopened.document_id).update(status="tagged")
    deleted.document.delete()
    moved = example(kept, start=kept.start + 1)
    assert [e.surface for e in resolved(project, *named, moved)] == ["Bergen"]


def test_a_foreign_projects_gold_is_never_shown(project: Project) -> None:
    foreign = make_gold(factories.make_project(), "Secret Oslo", "Oslo")
    assert resolved(project, example(foreign)) == []


def test_many_predictions_cost_no_more_queries_than_one(
    project: Project, django_assert_num_queries: Any
) -> None:
    golds = [make_gold(project, f"in Oslo {n}", "Oslo") for n in range(4)]
    predictions = [make_prediction(project, example(gold)) for gold in golds]
    for some in (predictions[:1], predictions):
        with django_assert_num_queries(2):
            found = examples.resolve(project, some)
        assert [len(found[p.pk]) for p in some] == [1] * len(some)
    bare = make_prediction(project)
    with django_assert_num_queries(0):
        assert examples.resolve(project, [bare]) == {bare.pk: []}


def page(client: Client, prediction: Prediction) -> str:
    document, mention = prediction.tagging.document, prediction.mentions.first()
    to = reverse("annotator:why", args=[document.project.slug, document.pk])
    return client.get(to, {"mention": mention.pk}).content.decode()


def test_the_page_shows_them_beside_a_span_that_needs_a_person(
    client: Client, project: Project
) -> None:
    gold = make_gold(project, "Bo & Cy met in <b>Oslo</b>.", "Oslo")
    prediction = make_prediction(project, example(gold, 0.873))
    html = page(client, prediction)
    assert "Similar in gold" in html
    assert 'met in &lt;b&gt;<mark class="label-1">Oslo</mark>&lt;/b&gt;.' in html
    assert '<span class="visually-hidden">similarity </span>0.87' in html
    Mention.objects.filter(prediction=prediction).update(needs_person=False)
    assert "Similar in gold" not in page(client, prediction)


def test_the_page_says_nothing_where_there_are_none(client: Client, project: Project) -> None:
    gone = make_gold(project, "in Oslo", "Oslo")
    prediction = make_prediction(project, example(gone))
    gone.document.delete()
    assert "Similar in gold" not in page(client, prediction)
    assert "Similar in gold" not in page(client, make_prediction(project))

"""Documents: the list, one with its mentions, and the next to review."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from annotator.models import Document
from tests import factories

from .conftest import TEXT, World


def test_a_document_is_shown_whole_with_its_mentions(world: World, annotator: Client) -> None:
    factories.make_question(world.document, "Ada", "person", probability=0.9)
    world.ada.question = world.document.questions.get()
    world.ada.save()
    shown = annotator.get(world.document_url).json()
    assert (shown["text"], shown["version"], shown["offset_unit"]) == (TEXT, 0, "code_point")
    assert (shown["meta"], shown["length"]) == ({"from": "a letter"}, len(TEXT))
    ada, oslo = shown["mentions"]
    assert ada == {
        "id": world.ada.pk,
        "start": 4,
        "end": 7,
        "surface": "Ada",
        "label": "person",
        "state": "suggested",
        "source": "local",
        "needs_person": True,
        "maybe": False,
        "reason": "The local model is unsure.",
        "routing": "human",
        "right": None,
        "prediction": {
            "model_version": 1,
            "label": "person",
            "lane": "mention",
            "uncertainty": 0.6,
            "probabilities": {"person": 0.4, "O": 0.6},
        },
        "llm": {
            "state": "answered",
            "answer": "person",
            "probability": 0.9,
            "provider": "recorded",
            "model": "demo",
            "reason": "",
        },
    }
    assert (oslo["routing"], oslo["prediction"], oslo["llm"]) == ("accept", None, None)


def test_offsets_count_code_points_and_text_comes_back_as_it_is(
    world: World, owner: Client
) -> None:
    text = "\ufeff  👨‍👩‍👧 e\u0301 🇳🇴\r\n\tAda \u2028עברית\u202e 𝒜da  "
    document = factories.make_document(world.project, text)
    factories.make_mention(document, "𝒜da", "person")
    shown = owner.get(f"{world.url}documents/{document.pk}/").json()
    (mention,) = shown["mentions"]
    assert shown["text"] == text
    assert text[mention["start"] : mention["end"]] == mention["surface"] == "𝒜da"


def test_many_mentions_take_no_more_queries(
    world: World, owner: Client, django_assert_num_queries: Any
) -> None:
    document = factories.make_document(world.project, "a b c d e f g h")
    for letter in "abcdefgh":
        factories.make_doubt(document, letter, "person")
    with django_assert_num_queries(5):  # session, person, project, document, mentions
        shown = owner.get(f"{world.url}documents/{document.pk}/").json()
    assert len(shown["mentions"]) == 8


@pytest.fixture
def four(world: World) -> dict[str, Document]:
    """With the world's own document there are four: two gold, one of these reviewed."""
    project, owner = world.project, world.people["owner"]
    make = factories.make_document
    return {
        "own": world.document,
        "urgent": make(project, "u", status="tagged", priority=9.0, split="dev"),
        "gold": make(project, "g", status="gold", split="train"),
        "reviewed": make(
            project,
            "r",
            status="gold",
            split="dev",
            reviewed_by=owner,
            reviewed_at="2026-01-01T00:00:00Z",
        ),
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["own", "urgent", "gold", "reviewed"]),
        ("status=gold", ["gold", "reviewed"]),
        ("split=dev", ["urgent", "reviewed"]),
        ("status=gold&split=dev", ["reviewed"]),
        ("status=new", []),
        ("ordering=queue", ["urgent", "own", "gold", "reviewed"]),
        ("ordering=reviewed", ["reviewed", "own", "urgent", "gold"]),
        ("limit=1&offset=1", ["urgent"]),
        ("offset=99999999999999999999", []),
    ],
)
def test_the_list_is_filtered_and_ordered(
    world: World, owner: Client, four: dict[str, Document], query: str, names: list[str]
) -> None:
    answer = owner.get(f"{world.url}documents/?{query}")
    assert answer.status_code == 200
    assert [row["id"] for row in answer.json()["results"]] == [four[name].pk for name in names]


def test_pages_follow_each_other_and_are_never_larger_than_500(world: World, owner: Client) -> None:
    rows = [Document.of(world.project, factories.schema.Text(0, "x")) for _ in range(600)]
    Document.objects.bulk_create(rows)
    url, seen = f"{world.url}documents/?limit=100000", []
    while url:
        page = owner.get(url).json()
        assert len(page["results"]) <= 500
        assert page["count"] == 601
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert seen == sorted(set(seen))
    assert len(seen) == 601


def test_a_document_whose_number_is_out_of_this_world(world: World, owner: Client) -> None:
    for pk in ("9" * 30, "9" * 5000, "-1", "x"):
        assert owner.get(f"{world.url}documents/{pk}/").status_code == 404


def test_the_next_document_is_the_most_uncertain(
    world: World, annotator: Client, four: dict[str, Document]
) -> None:
    first = annotator.get(f"{world.url}next/").json()["document"]
    assert (first["id"], first["text"]) == (four["urgent"].pk, "u")
    then = annotator.get(f"{world.url}next/?after={first['id']}").json()["document"]
    assert then["id"] == world.document.pk
    foreign = annotator.get(f"{world.url}next/?after={world.foreign_document.pk}")
    assert foreign.status_code == 404
    world.project.documents.update(status="gold")
    assert annotator.get(f"{world.url}next/").json() == {"document": None}

"""What an LLM names is placed exactly or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlworker.llm import sweep
from mlworker.llm.prompt import build, built_in
from mlworker.schema import SWEEP_PROMPT, AskRequest, Finds, Label, Mention, Passage, Ungrounded

OPTIONS = {"A": "person", "B": "place"}
PASSAGES = [Passage(71, "Ada met Ada in Oslo ."), Passage(72, "Nothing here .")]


def named(words: Any, occurrence: Any = 1, label: Any = "A") -> dict[str, Any]:
    return {"text": words, "occurrence": occurrence, "label": label}


def found(*mentions: dict[str, Any], second: list[Any] | None = None) -> list[Finds]:
    entries = [{"id": 1, "mentions": [*mentions]}, {"id": 2, "mentions": second or []}]
    return sweep.parse(json.dumps({"found": entries}), OPTIONS, PASSAGES)


def test_words_are_placed_where_they_stand_for_the_nth_time() -> None:
    first, second = found(named("Ada", 2), named("Oslo", 1, "B"), named("Ada"))
    assert first == Finds(
        71, [Mention(0, 3, "person"), Mention(8, 11, "person"), Mention(15, 19, "place")]
    )
    assert second == Finds(72, [])


@pytest.mark.parametrize(
    "mention",
    [
        named("Ada", 3),
        named("Ada", 0),
        named("Ada", -1),
        named("Ada", True),
        named("Ada", "1"),
        named("ada"),
        named("Ada  met"),
        named(""),
        named(" "),
        named(None),
        named("Ada", 1, "C"),
        named("Ada", 1, "person"),
        named("Ada", 1, ["A"]),
        {"text": "Ada"},
        {},
    ],
    ids=str,
)
def test_what_does_not_stand_there_so_is_listed_and_not_placed(mention: dict[str, Any]) -> None:
    first, _ = found(mention, named("Oslo", 1, "B"))
    assert first.mentions == [Mention(15, 19, "place")]
    assert len(first.ungrounded) == 1


def test_a_span_with_two_labels_has_neither() -> None:
    first, _ = found(named("Oslo", 1, "A"), named("Oslo", 1, "B"), named("Ada"), named("Ada"))
    assert first.mentions == [Mention(0, 3, "person")]
    assert first.ungrounded == [Ungrounded("Oslo", "person"), Ungrounded("Oslo", "place")]


@pytest.mark.parametrize(
    "content",
    [
        "I found Ada.",
        "[]",
        '{"found": {}}',
        '{"answers": []}',
        '{"found": [{"id": "1", "mentions": []}]}',
        '{"found": [{"id": 1, "mentions": []}, {"id": 3, "mentions": []}]}',
        '{"found": [], "found": []}',
    ],
)
def test_another_form_leaves_every_passage_unread(content: str) -> None:
    assert all(f.mentions is None and f.reason for f in sweep.parse(content, OPTIONS, PASSAGES))


@pytest.mark.parametrize(
    "entries",
    [
        [{"id": 2, "mentions": []}],
        [{"id": 1, "mentions": []}, {"id": 1, "mentions": []}, {"id": 2, "mentions": []}],
        [{"id": 1, "mentions": "none"}, {"id": 2, "mentions": []}],
        [{"id": 1, "mentions": ["Ada"]}, {"id": 2, "mentions": []}],
    ],
)
def test_one_passage_answered_badly_does_not_take_the_others_with_it(entries: list[Any]) -> None:
    first, second = sweep.parse(json.dumps({"found": entries}), OPTIONS, PASSAGES)
    assert first.mentions is None
    assert first.reason.startswith("the LLM read this text")
    assert second == Finds(72, [])


@given(st.data())
def test_every_mention_of_any_text_can_be_named_and_is_found_again(data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("ab 🇳🇴é\u0301\n"), min_size=1, max_size=12))
    spans = [(i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    start, end = data.draw(st.sampled_from(spans))
    words = text[start:end]
    number = text.count(words, 0, start) + 1
    reply = {"found": [{"id": 1, "mentions": [named(words, number)]}]}
    (read,) = sweep.parse(json.dumps(reply), OPTIONS, [Passage(1, text)])
    for mention in read.mentions or []:
        assert text[mention.start : mention.end] == words
    if words.strip() and text.find(words, start - len(words) + 1) == start:
        assert read.mentions == [Mention(start, end, "person")]


def test_the_message_holds_the_passages_and_no_number_of_the_database() -> None:
    labels = [Label("person", "Names of people."), Label("place")]
    request = AskRequest(5, 1, "openai", "m", built_in(SWEEP_PROMPT), labels, passages=[*PASSAGES])
    messages = build(request)
    assert json.loads(messages.user) == {
        "labels": OPTIONS,
        "texts": [{"id": 1, "text": PASSAGES[0].text}, {"id": 2, "text": PASSAGES[1].text}],
    }
    assert "A = person: Names of people.\nB = place\n" in messages.system
    assert "71" not in messages.system + messages.user

"""The nearest gold mentions of a span: found, never the span itself, the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mlworker import hardware, inference, remembering, versions
from mlworker.alignment import align
from mlworker.config import TrainConfig
from mlworker.memory import Memory, Place
from mlworker.remembering import remember
from mlworker.schema import Mention, Method, Neighbour, ScoredSpan, Text
from mlworker.training import Corpus, train
from mlworker.versions import LocalModel

CLASSES = ("O", "person", "place")
LABELS = CLASSES[1:]
SAID = ["Grace Hopper lives in Paris .", "we saw Linus today", "New York is far", "it rains ."]


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """In single precision what is the same is the same to the last digit that is sent."""
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda _device: False)


@pytest.fixture
def gold(untrained: LocalModel) -> list[Text]:
    """Texts whose gold is what the model returns of them, so that it is asked about again."""
    texts = [Text(number, said) for number, said in enumerate(SAID, 10)]
    return [
        replace(text, mentions=[Mention(s.start, s.end, s.label) for s in spans])
        for text, spans in zip(texts, tagged(untrained, texts, None), strict=True)
    ]


@pytest.fixture
def memory(untrained: LocalModel, gold: list[Text]) -> Memory:
    return remembered(untrained, gold)


def remembered(model: LocalModel, gold: list[Text]) -> Memory:
    found = remember(model, align(gold, LABELS), seed=1)
    assert found is not None
    return found


def tagged(model: LocalModel, texts: list[Text], memory: Memory | None) -> list[list[ScoredSpan]]:
    found = inference.tag_with(model, texts, Method.ENTROPY, 1000, memory=memory)
    return [text.spans for text in found]


def places(memory: Memory) -> list[Place]:
    return [(text, start, end) for text, start, end, _ in memory.references.tolist()]


def test_all_gold_is_remembered_where_it_stands(memory: Memory, gold: list[Text]) -> None:
    stands = [(text.id, m.start, m.end, m.label) for text in gold for m in sorted(text.mentions)]
    named = [(*at, CLASSES[number]) for *at, number in memory.references.tolist()]
    assert named == stands
    assert len(named) > len(SAID)
    torch.testing.assert_close(memory.vectors.norm(dim=1), torch.ones(len(named)))


def test_a_mention_is_found_again_in_a_new_text(
    untrained: LocalModel, memory: Memory, gold: list[Text]
) -> None:
    for text in gold:
        (spans,) = tagged(untrained, [Text(99, text.text)], memory)
        for span, mention in zip(spans, sorted(text.mentions), strict=True):
            expected = Neighbour(text.id, mention.start, mention.end, mention.label, 1.0)
            assert span.nearest[0] == expected
            similarities = [example.similarity for example in span.nearest]
            assert similarities == sorted(similarities, reverse=True)
            assert len(similarities) == 3


def test_a_span_is_no_example_of_itself(
    untrained: LocalModel, memory: Memory, gold: list[Text]
) -> None:
    for text, spans in zip(gold, tagged(untrained, gold, memory), strict=True):
        for span in spans:
            found = [(e.text, e.start, e.end) for e in span.nearest]
            assert len(found) == 3
            assert (text.id, span.start, span.end) not in found


def test_neither_batch_mates_nor_order_change_what_is_nearest(
    untrained: LocalModel, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [Text(n, f"{said}\n{'we saw Ada ' * n}") for n, said in enumerate(SAID * 2)]
    together = tagged(untrained, texts, memory)
    assert tagged(untrained, texts, memory) == together
    monkeypatch.setitem(inference.BATCH_PIECES, "cpu", 20)
    monkeypatch.setattr("mlworker.memory.ROWS", 2)
    for text, spans in zip(texts, together, strict=True):
        (alone,) = tagged(untrained, [text], memory)
        assert len(alone) == len(spans) > 0
        for found, expected in zip(alone, spans, strict=True):
            assert [e.similarity for e in found.nearest] == pytest.approx(
                [e.similarity for e in expected.nearest], abs=2e-3
            )
            assert [replace(e, similarity=0) for e in found.nearest] == [
                replace(e, similarity=0) for e in expected.nearest
            ]


def test_fewer_examples_than_wanted_are_all_there_are(untrained: LocalModel) -> None:
    one = remembered(untrained, [Text(1, "we saw Ada", mentions=[Mention(7, 10, "person")])])
    near = {
        s.start: s.nearest
        for (spans,) in [tagged(untrained, [Text(1, "we saw Ada")], one)]
        for s in spans
    }
    assert {len(nearest) for at, nearest in near.items() if at != 7} <= {1}
    assert near.get(7, []) == []
    (spans,) = tagged(untrained, [Text(2, "we saw Ada")], one)
    assert {len(span.nearest) for span in spans} == {1}


def test_without_texts_or_words_nothing_is_compared(untrained: LocalModel, memory: Memory) -> None:
    assert tagged(untrained, [], memory) == []
    assert tagged(untrained, [Text(1, " \n ")], memory) == [[]]


def test_texts_read_without_vectors_cannot_be_compared(
    untrained: LocalModel, memory: Memory
) -> None:
    reading = inference.read(untrained, [Text(1, SAID[0])])
    with pytest.raises(ValueError, match="read without vectors"):
        reading.tagged(Method.ENTROPY, 20, memory=memory)


def test_what_stands_twice_in_the_same_words_is_remembered_once(untrained: LocalModel) -> None:
    person, place = Mention(0, 3, "person"), Mention(0, 3, "place")
    gold = [
        Text(1, "Ada saw Ada", mentions=[person, Mention(8, 11, "person")]),
        Text(2, "Ada saw Ada", mentions=[person]),
        Text(3, "Ada saw Ada", mentions=[place]),
        Text(4, "Ada left", mentions=[person]),
    ]
    found = places(remembered(untrained, gold))
    assert found == [(1, 0, 3), (3, 0, 3), (4, 0, 3)]


def test_of_more_than_it_holds_it_keeps_a_draw_that_the_seed_repeats(
    untrained: LocalModel, gold: list[Text], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "LARGEST", 4)
    aligned = align(gold, LABELS)

    def drawn(seed: int) -> list[Place]:
        found = remember(untrained, aligned, seed)
        assert found is not None
        return places(found)

    assert {len(drawn(seed)) for seed in range(5)} == {4}
    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(5)}) > 1


def test_a_mention_far_into_a_long_sentence_is_found_there(untrained: LocalModel) -> None:
    text = "it rains " * 300 + "Linus ."
    at = text.index("Linus")
    memory = remembered(untrained, [Text(1, text, mentions=[Mention(at, at + 5, "person")])])
    assert places(memory) == [(1, at, at + 5)]


def test_gold_that_no_span_stands_for_leaves_no_memory(untrained: LocalModel) -> None:
    wide = Text(1, "a b c d e f", mentions=[Mention(0, 11, "person")])
    assert remember(untrained, align([wide], LABELS), seed=1) is None


@pytest.fixture
def saved(untrained: LocalModel, memory: Memory, tmp_path: Path) -> Path:
    versions.save(untrained, tmp_path / "v1", {}, memory)
    return tmp_path / "v1"


def test_a_memory_comes_back_with_its_version(saved: Path, memory: Memory) -> None:
    found = versions.recall(saved)
    assert found is not None
    assert found.classes == CLASSES
    assert torch.equal(found.references, memory.references)
    assert torch.equal(found.vectors, memory.vectors.half().float())
    assert len({file.stat().st_mode for file in saved.iterdir()}) == 1


def test_a_served_version_answers_from_its_memory(saved: Path) -> None:
    (answer,) = inference.tag(saved, [Text(99, SAID[1])], Method.ENTROPY, 1000)
    assert {span.nearest[0].text for span in answer.spans} == {11}


def test_a_version_without_a_memory_tags_without_examples(
    untrained: LocalModel, tmp_path: Path
) -> None:
    versions.save(untrained, tmp_path / "old", {})
    (answer,) = inference.tag(tmp_path / "old", [Text(1, SAID[0])], Method.ENTROPY, 1000)
    assert answer.spans
    assert all(span.nearest == [] for span in answer.spans)


def test_a_memory_that_was_changed_or_lost_is_refused(saved: Path) -> None:
    file = saved / versions.MEMORY
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(versions.DamagedVersionError, match=r"memory\.safetensors has changed"):
        inference.tag(saved, [Text(1, "Ada")], Method.ENTROPY, 20)
    file.unlink()
    with pytest.raises(versions.DamagedVersionError, match="not complete"):
        versions.recall(saved)


def test_training_remembers_its_gold_and_learns_the_same(
    encoder_folder: Path, corpus: list[Text], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learned(name: str) -> Path:
        train(
            Corpus(LABELS, corpus, corpus[:4]),
            tmp_path / name,
            encoder=str(encoder_folder),
            config=TrainConfig(fewest_passes=60, fewest_steps=20),
        )
        return tmp_path / name

    first, again = learned("first"), learned("again")
    sums = [versions.sha256(folder / versions.MEMORY) for folder in (first, again)]
    assert sums[0] == sums[1]
    memory = versions.recall(first)
    assert memory is not None
    held = {(text.id, m.start, m.end) for text in corpus for m in text.mentions}
    assert set(places(memory)) <= held
    assert len(places(memory)) == len(
        {(t.text, m.start, m.end, m.label) for t in corpus for m in t.mentions}
    )
    monkeypatch.setattr("mlworker.training.remember", lambda *_: None)
    without = learned("without")
    assert not (without / versions.MEMORY).exists()
    assert versions.sha256(without / "model.safetensors") == versions.sha256(
        first / "model.safetensors"
    )

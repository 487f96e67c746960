from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlworker import hardware, inference, routing, versions
from mlworker.data import Window
from mlworker.routing import Spans
from mlworker.schema import NO_ENTITY, Head, Lane, Method, Text
from mlworker.segmentation import sentences
from mlworker.versions import LocalModel

relaxed = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
METHODS = Head.SOFTMAX.methods
NAMES = ["Linus", "Paris", "New York"]
LINES = st.lists(
    st.sampled_from(
        [
            "Ada lives in New York .",
            "👩‍👩‍👧 in 北京。",
            "مرحبا Paris",
            "\r",
            "",
            "we saw e\u0301 today 🇩🇪",
            "  ",
        ]
    ),
    max_size=6,
)


@relaxed
@given(texts=st.lists(LINES.map("\r\n".join), max_size=4), method=st.sampled_from(METHODS))
def test_spans_are_exact_and_what_they_say_holds_together(
    texts: list[str], method: Method, untrained: LocalModel
) -> None:
    asked = [Text(number, text) for number, text in enumerate(texts)]
    tagged = inference.tag_with(untrained, asked, method, 100)
    assert [t.id for t in tagged] == [t.id for t in asked]
    for text, answer in zip(texts, tagged, strict=True):
        last = 0
        for span in answer.spans:
            assert last <= span.start < span.end <= len(text)
            last = span.end
            assert text[span.start : span.end].strip() == text[span.start : span.end]
            assert "\n" not in text[span.start : span.end]
            assert span.sentence_start <= span.start < span.end <= span.sentence_end
            assert set(span.probabilities) == {NO_ENTITY, "person", "place"}
            assert sum(span.probabilities.values()) == pytest.approx(1, abs=1e-4)
            named = {k: v for k, v in span.probabilities.items() if k != NO_ENTITY}
            assert span.label == max(named, key=lambda k: named[k])
            sure = named[span.label] >= span.probabilities[NO_ENTITY]
            assert span.lane == (Lane.MENTION if sure else Lane.CANDIDATE)
            assert 0 <= span.uncertainty <= 1


@relaxed
@given(order=st.permutations(range(6)), budget=st.sampled_from([20, 64, 4096]))
def test_batch_mates_do_not_change_a_probability(
    order: list[int], budget: int, untrained: LocalModel
) -> None:
    lines = [
        "Ada",
        "it rains .",
        "we saw Linus today " * 9,
        "Paris is far",
        "x " * 40,
        "in New York",
    ]
    cut = sentences(Text(1, "\n".join(lines)))
    alone = [inference.score(untrained, [sentence])[0] for sentence in cut]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(inference.BATCH_PIECES, "cpu", budget)
        together = inference.score(untrained, [cut[i] for i in order])
    for i, found in zip(order, together, strict=True):
        assert_same(found, alone[i])


def assert_same(found: Spans, expected: Spans) -> None:
    assert found.first.tolist() == expected.first.tolist()
    assert found.last.tolist() == expected.last.tolist()
    assert abs(found.probabilities - expected.probabilities).max(initial=0) < 1e-4


def test_every_word_of_a_very_long_document_is_looked_at(
    untrained: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "MASS_FLOOR", 0.0)
    words = 20_000
    (cut,) = sentences(Text(1, "Linus saw " * (words // 2)))
    (found,) = inference.score(untrained, [cut])
    spans = list(zip(found.first.tolist(), found.last.tolist(), strict=True))
    width = untrained.config.max_width
    assert spans == [(i, j) for i in range(words) for j in range(i, min(i + width, words))]


def test_what_does_not_fit_the_memory_is_halved(
    untrained: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = sentences(Text(1, "Ada saw Linus\n" * 9))
    expected = inference.score(untrained, cut)
    whole, sizes = inference._forward, []

    def small(model: LocalModel, batch: list[Window], **asked: Any) -> list[Spans]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError
        return whole(model, batch, **asked)

    monkeypatch.setattr(inference, "_forward", small)
    for found, before in zip(inference.score(untrained, cut), expected, strict=True):
        assert_same(found, before)
    assert max(sizes) > 2


def test_one_sentence_that_does_not_fit_and_any_other_error_are_raised(
    untrained: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> list[Spans]:
        raise error

    monkeypatch.setattr(inference, "_forward", fail)
    for error, text in [
        (torch.OutOfMemoryError("out"), "Ada"),
        (RuntimeError("shapes differ"), "Ada\nAda"),
    ]:
        with pytest.raises(type(error), match=str(error)):
            inference.score(untrained, sentences(Text(1, text)))


def test_a_version_whose_folder_is_gone_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(versions.DamagedVersionError, match="bring its files back, or train"):
        inference.load(tmp_path / "gone")


def test_a_version_is_loaded_once_and_tags_as_before_it_was_saved(
    untrained: LocalModel, tmp_path: Path
) -> None:
    versions.save(untrained, tmp_path / "v1", {})
    untrained.classifier.half().float()
    text = Text(7, "Ada lives in New York . 北京 👍🏽")
    first = inference.load(tmp_path / "v1")
    assert inference.load(str(tmp_path / "v1")) is first
    found = inference.tag(tmp_path / "v1", [text], Method.ENTROPY, 100)
    expected = inference.tag_with(untrained, [text], Method.ENTROPY, 100)
    assert [(s.start, s.end, s.label, s.lane) for s in found[0].spans] == [
        (s.start, s.end, s.label, s.lane) for s in expected[0].spans
    ]
    assert found[0].spans


def test_bfloat16_weights_say_nearly_the_same(
    untrained: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "MASS_FLOOR", 0.0)
    cut = sentences(Text(1, "Ada lives in New York .\n" + "we saw Linus " * 70))
    expected = inference.score(untrained, cut)
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda _: True)
    rounded = inference.ready(untrained)
    assert rounded.classifier.output.weight.dtype is torch.bfloat16
    for found, before in zip(inference.score(rounded, cut), expected, strict=True):
        assert found.probabilities.dtype == np.float32
        assert abs(found.probabilities - before.probabilities).max() < 0.1


def test_no_text_and_empty_texts_are_fine(untrained: LocalModel) -> None:
    assert inference.tag_with(untrained, [], Method.ENTROPY, 20) == []
    (answer,) = inference.tag_with(untrained, [Text(3, " \n ")], Method.ENTROPY, 20)
    assert (answer.id, answer.spans) == (3, [])


def evidential(model: LocalModel) -> LocalModel:
    return replace(model, config=replace(model.config, head=Head.EVIDENTIAL))


def test_a_method_that_the_head_does_not_offer_is_refused(untrained: LocalModel) -> None:
    with pytest.raises(ValueError, match="a model with a softmax head has no evidential"):
        inference.read(untrained, [], [Method.EVIDENTIAL])
    assert inference.read(evidential(untrained), [], [Method.EVIDENTIAL]).spans == []


def test_evidence_is_what_makes_a_span_sure(untrained: LocalModel) -> None:
    model = evidential(untrained)
    torch.nn.init.normal_(model.classifier.output.weight, std=3)
    cut = sentences(Text(1, "Ada lives in New York ."))
    (found,) = inference.score(model, cut, frozenset({Method.EVIDENTIAL}))
    u, probabilities = found.uncertainty[Method.EVIDENTIAL], found.probabilities
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    # p = (e + 1) / Σα, so the class without any evidence has u / C, the least there is.
    assert (probabilities >= u[:, None] / 3 - 1e-6).all()
    assert ((u > 0) & (u < 1)).all()


@pytest.mark.parametrize("passes", [inference.HEAD_PASSES, inference.Passes(4, encoder=True)])
def test_dropout_is_drawn_alike_each_time_and_leaves_the_rest_as_it_was(
    untrained: LocalModel, passes: inference.Passes
) -> None:
    text = Text(1, "Ada lives in New York .")
    methods = [Method.ENTROPY, Method.MC_DROPOUT]
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    (first,) = inference.read(untrained, [text], methods, passes).spans
    (again,) = inference.read(untrained, [text], methods, passes).spans
    assert torch.random.get_rng_state().equal(before)
    np.testing.assert_array_equal(
        first.uncertainty[Method.MC_DROPOUT], again.uncertainty[Method.MC_DROPOUT]
    )
    (plain,) = inference.read(untrained, [text], []).spans
    assert_same(first, plain)
    assert not untrained.classifier.training


@pytest.mark.parametrize("method", [Method.ENTROPY, Method.MC_DROPOUT])
def test_with_more_cores_the_same_is_said(
    method: Method, untrained: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(inference.BATCH_PIECES, "cpu", 16)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # products as with one core
    whole, used = inference._forward, set()

    def watched(*given: Any, **asked: Any) -> list[Spans]:
        used.add(threading.current_thread())
        return whole(*given, **asked)

    monkeypatch.setattr(inference, "_forward", watched)
    text = Text(1, "\n".join(f"Ada saw {name} {'today ' * n}" for n, name in enumerate(NAMES * 8)))
    alone = inference.read(untrained, [text], [method]).spans
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    for found, expected in zip(
        inference.read(untrained, [text], [method]).spans, alone, strict=True
    ):
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
        for drawn, again in zip(
            found.uncertainty.values(), expected.uncertainty.values(), strict=True
        ):
            np.testing.assert_array_equal(drawn, again)
    # Random numbers come from one source: whoever draws takes turns.
    assert (used == {threading.current_thread()}) == (method is Method.MC_DROPOUT)


def test_a_temperature_softens_what_is_said_and_changes_no_label(untrained: LocalModel) -> None:
    text = Text(1, "Ada lives in New York .")
    torch.nn.init.normal_(untrained.classifier.output.weight, std=5)
    (sharp,) = inference.read(untrained, [text]).spans
    (soft,) = inference.read(replace(untrained, temperature=3.0), [text]).spans
    kept = {(i, j): p for i, j, p in zip(soft.first, soft.last, soft.probabilities, strict=True)}
    for i, j, p in zip(sharp.first, sharp.last, sharp.probabilities, strict=True):
        assert kept[i, j].argmax() == p.argmax()
        assert kept[i, j].max() <= p.max() + 1e-6

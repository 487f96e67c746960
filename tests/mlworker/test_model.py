from __future__ import annotations

import torch

from mlworker.data import Batch, collate, windows
from mlworker.schema import Text
from mlworker.segmentation import sentences
from mlworker.versions import LocalModel


def read(model: LocalModel, text: str) -> Batch:
    cut = windows(sentences(Text(1, text)), model.word_pieces, model.config)
    return collate(cut, model.config.max_width)


def test_there_are_logits_for_each_word_width_and_class(untrained: LocalModel) -> None:
    batch = read(untrained, "Ada lives in New York .\nit rains .")
    assert untrained.classifier(batch).shape == (2, 6, 4, 3)


def test_a_text_shorter_than_the_widest_span_is_no_trouble(untrained: LocalModel) -> None:
    batch = read(untrained, "Ada")
    assert untrained.classifier(batch).shape == (1, 1, 4, 3)
    assert batch.spans.tolist() == [[[True, False, False, False]]]


def test_the_factorised_layer_equals_one_layer_over_the_whole_span(untrained: LocalModel) -> None:
    """In float64, against W [h_i; h_j] + width + Σ shapes, span by span."""
    model = untrained.classifier.double()
    batch = read(untrained, "we saw Grace Hopper today")
    with torch.no_grad():
        found = model(batch)
        pieces = model.encode(batch)[0]
        shapes = model.shape(batch.shapes)[0]
        weight = torch.cat([model.left.weight, model.right.weight], 1)
        for i, width in batch.spans[0].nonzero().tolist():
            ends = [pieces[batch.first[0, i]], shapes[i]]
            ends += [pieces[batch.last[0, i + width]], shapes[i + width]]
            hidden = weight @ torch.cat(ends) + model.left.bias + model.width.weight[width]
            hidden += model.inside(shapes[i : i + width + 1].sum(0))
            expected = model.output(torch.nn.functional.gelu(hidden))
            torch.testing.assert_close(found[0, i, width], expected, atol=1e-10, rtol=0)


def test_padding_changes_nothing(untrained: LocalModel) -> None:
    short, both = (
        read(untrained, "it rains ."),
        read(untrained, "it rains .\n" + "Ada saw Paris " * 5),
    )
    alone = untrained.classifier(short)[short.spans]
    beside = untrained.classifier(both)[:1][both.spans[:1]]
    torch.testing.assert_close(beside, alone, atol=1e-5, rtol=0)


def test_the_encoder_sees_case_once_it_is_learned(untrained: LocalModel) -> None:
    lower, upper = read(untrained, "ada saw paris ."), read(untrained, "ADA saw PARIS .")
    assert lower.pieces.equal(upper.pieces)
    model = untrained.classifier
    torch.testing.assert_close(model.encode(lower), model.encode(upper))
    torch.nn.init.normal_(model.case.weight)
    assert not model.encode(lower).allclose(model.encode(upper), atol=1e-3)

"""Every kind of encoder, small and with random weights, from its folder to a saved version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from mlworker import encoders, versions
from mlworker.config import ModelConfig
from mlworker.data import WordPieces, collate, windows
from mlworker.model import SpanClassifier
from mlworker.schema import Text
from mlworker.segmentation import sentences
from mlworker.versions import LocalModel
from tests.mlworker.encoder import make_encoder

WORDS = "Ada lives in New York . it rains über 北京"
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 96,
}
DISTILLED: dict[str, Any] = {
    "dim": 16,
    "n_layers": 1,
    "n_heads": 2,
    "hidden_dim": 32,
    "max_position_embeddings": 96,
}
OWN: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 8},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
}
BYTE_LEVEL = {"roberta"}
UNIGRAM = {"xlm-roberta", "deberta-v2"}


def tokenizer_of(kind: str, folder: Path) -> Tokenizer:
    if kind not in BYTE_LEVEL | UNIGRAM:
        return Tokenizer.from_file(str(make_encoder(folder / "bert") / "tokenizer.json"))
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    if kind in BYTE_LEVEL:
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer: Any = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=marks,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=60, special_tokens=marks, unk_token="<unk>", show_progress=False
        )
    tokenizer.train_from_iterator([WORDS] * 5, trainer)
    return tokenizer


@pytest.fixture(params=sorted(encoders.KINDS))
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    kind: str = request.param
    tokenizer = tokenizer_of(kind, tmp_path)
    sizes = DISTILLED if kind == "distilbert" else SMALL
    config_class, model_class = encoders.KINDS[kind]
    padding = tokenizer.token_to_id("<pad>") or 0
    config = config_class(
        vocab_size=tokenizer.get_vocab_size(), pad_token_id=padding, **sizes, **OWN.get(kind, {})
    )
    torch.manual_seed(0)
    place = tmp_path / kind
    model_class(config).save_pretrained(place)
    tokenizer.save(str(place / "tokenizer.json"))
    return place


def model_of(folder: Path) -> LocalModel:
    source = encoders.load(str(folder))
    config = ModelConfig(labels=("person",), max_width=2, window_pieces=min(90, source.longest))
    classifier = SpanClassifier(config, source.model).eval()
    torch.nn.init.normal_(classifier.case.weight)
    return LocalModel(config, classifier, WordPieces.from_file(source.tokenizer, 8))


def logits(model: LocalModel, text: str) -> torch.Tensor:
    """Of the spans of the first sentence."""
    cut = windows(sentences(Text(1, text)), model.word_pieces, model.config)
    batch = collate(cut, model.config.max_width)
    with torch.inference_mode():
        return model.classifier(batch)[:1][batch.spans[:1]]


def test_words_are_cut_as_they_are_inside_a_sentence(folder: Path) -> None:
    pieces = WordPieces.from_file(folder / "tokenizer.json", 8)
    cut = sentences(Text(1, WORDS + " 🦆"))
    known = pieces(cut)
    assert all(known[word] for sentence in cut for word in sentence.words)
    whole = pieces.tokenizer.encode("Ada lives in York", add_special_tokens=False).ids
    later = [i for word in ("lives", "in", "York") for i in pieces(sentences(Text(1, word)))[word]]
    assert whole[-len(later) :] == later


def test_who_is_beside_a_sentence_in_its_batch_changes_nothing(folder: Path) -> None:
    model = model_of(folder)
    beside = logits(model, "Ada lives .\n" + "it rains in New York " * 4)
    torch.testing.assert_close(beside, logits(model, "Ada lives ."), atol=1e-5, rtol=0)


def test_a_version_brings_its_encoder_back(folder: Path, tmp_path: Path) -> None:
    model = model_of(folder)
    model.classifier.half().float()
    versions.save(model, tmp_path / "version", {})
    again = versions.load(tmp_path / "version")
    assert type(again.classifier.encoder) is type(model.classifier.encoder)
    torch.testing.assert_close(logits(again, WORDS), logits(model, WORDS), atol=1e-6, rtol=0)


def test_the_longest_window_that_it_promises_fits(folder: Path) -> None:
    source = encoders.load(str(folder))
    assert source.longest in (94, 96)
    size = encoders.word_embeddings(source.model).embedding_dim
    embedded = torch.zeros(1, source.longest, size)
    mask = torch.ones(1, source.longest, dtype=torch.long)
    found = source.model(inputs_embeds=embedded, attention_mask=mask)
    assert found.last_hidden_state.shape[:2] == (1, source.longest)


def changed(folder: Path, **config: Any) -> str:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return str(folder)


def test_what_cannot_be_loaded_safely_is_refused(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "encoder")
    with pytest.raises(ValueError, match=r"type 't5'; supported are bert, deberta-v2"):
        encoders.load(changed(folder, model_type="t5"))
    with pytest.raises(ValueError, match="code of its own, which is never run"):
        encoders.load(changed(folder, model_type="bert", auto_map={"AutoModel": "x.Model"}))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has no model\.safetensors"):
        encoders.load(str(folder))
    with pytest.raises(ValueError, match="neither a folder nor in the local cache"):
        encoders.load("nobody/nothing")


def test_weights_and_tokenizers_that_do_not_fit_are_refused_and_never_filled_up(
    tmp_path: Path,
) -> None:
    folder = make_encoder(tmp_path / "encoder")
    weights = folder / "model.safetensors"
    state = load_file(weights)
    save_file({f"prefix.{name}": tensor for name, tensor in state.items()}, weights)
    with pytest.raises(ValueError, match=r"lacks \d+ weights of such a model"):
        encoders.load(str(folder))
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="cannot be read"):
        encoders.load(str(folder))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no tokenizer"):
        WordPieces.from_file(folder / "tokenizer.json", 8)

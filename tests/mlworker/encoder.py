"""A small encoder made on the spot: random weights, a vocabulary of letters and a few words."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertModel

NAMES = {"person": ["Ada", "Grace Hopper", "Linus", "Alan Turing"], "place": ["Paris", "New York"]}
PATTERNS = ["{person} lives in {place} .", "we saw {person} today", "{place} is far", "it rains ."]


def make_encoder(folder: Path) -> Path:
    """Saves one in `folder`, as `SPANLIGHT_ENCODER` takes it, and returns the folder."""
    letters = string.ascii_lowercase + string.digits + string.punctuation
    names = [name for known in NAMES.values() for name in known]
    words = " ".join([*PATTERNS, *names]).lower().split()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters)]
    vocabulary += sorted({w for w in words if w.isalpha() and len(w) > 1})
    numbers = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder

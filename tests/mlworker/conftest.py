"""A small model and a small corpus, made on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertModel

from mlworker.config import ModelConfig
from mlworker.data import WordPieces
from mlworker.model import SpanClassifier
from mlworker.schema import Mention, Text
from mlworker.versions import LocalModel
from tests.mlworker.encoder import NAMES, PATTERNS, make_encoder

LABELS = ("person", "place")


# So small a model gains nothing from a second thread, and loses much where the machine is busy.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def word_pieces(encoder_folder: Path) -> WordPieces:
    return WordPieces.from_file(encoder_folder / "tokenizer.json", word_pieces=8)


@pytest.fixture
def untrained(encoder_folder: Path, word_pieces: WordPieces) -> LocalModel:
    """A model whose random head says something else about every span."""
    torch.manual_seed(3)
    config = ModelConfig(labels=LABELS, max_width=4)
    encoder = BertModel.from_pretrained(encoder_folder, add_pooling_layer=False)
    classifier = SpanClassifier(config, encoder).eval()
    torch.nn.init.normal_(classifier.output.weight, std=0.5)
    return LocalModel(config, classifier, word_pieces)


def sample(count: int) -> list[Text]:
    """`count` short texts with their mentions, every one different."""
    texts = []
    for number in range(count):
        pattern = PATTERNS[number % len(PATTERNS)]
        text, mentions = "", []
        for word in pattern.split():
            label = word.strip("{}")
            known = NAMES.get(label)
            said = known[number // 4 % len(known)] if known else word
            text = f"{text} {said}".strip()
            if known:
                mentions.append(Mention(len(text) - len(said), len(text), label))
        texts.append(Text(number, text, None, mentions))
    return texts


@pytest.fixture
def corpus() -> list[Text]:
    return sample(20)

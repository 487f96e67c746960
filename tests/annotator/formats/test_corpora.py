"""The published corpora, where they lie beside the repository (they are not part of it)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from annotator import formats

DATA = Path(__file__).parents[4] / "shared" / "data"
COUNTS = {
    "wnut17/train": (3394, 1975),
    "wnut17/dev": (1009, 836),
    "wnut17/test": (1287, 1079),
    "conll03/train": (14041, 23499),
    "conll03/dev": (3250, 5942),
    "conll03/test": (3453, 5648),
    "conll03/oov": (3453, 5648),
}


@pytest.mark.parametrize("corpus", COUNTS)
def test_a_published_corpus_has_its_published_counts(corpus: str) -> None:
    path = DATA / f"{corpus}.conll"
    if not path.exists():
        pytest.skip(f"no corpus at {path}")
    data = path.read_bytes()
    started = time.process_time()
    parsed = formats.parse("conll", data, filename=path.name)
    seconds = time.process_time() - started
    mentions = sum(len(record.mentions) for record in parsed.records)
    assert (len(parsed.records), mentions) == COUNTS[corpus]
    assert "tags in IOB2" in parsed.notes
    assert seconds < 15e-6 * len(data)  # 7 s for CoNLL-2003's 1.7 MB; measured: 1

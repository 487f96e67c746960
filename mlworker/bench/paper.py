"""Published figures of LinkNER (Zhang et al., WWW '24), by (corpus, test set).

Its "ID" is our `test`, its "OOV" of WNUT'17 as well.
"""

from __future__ import annotations

Cell = tuple[str, str]
"""Corpus and test set."""

CONLL_ID, CONLL_TYPOS, CONLL_OOV, CONLL_OOD = (
    ("conll03", name) for name in ("test", "typos", "oov", "ood")
)
WNUT = ("wnut17", "test")

F1: dict[str, dict[Cell, float]] = {
    "SpanNER (BERT-large)": {
        CONLL_ID: 92.37,
        CONLL_TYPOS: 81.83,
        CONLL_OOV: 64.43,
        CONLL_OOD: 80.54,
        WNUT: 51.83,
    },
    "SpanNER-MCD (BERT-large)": {
        CONLL_ID: 92.67,
        CONLL_TYPOS: 83.58,
        CONLL_OOV: 69.49,
        CONLL_OOD: 78.30,
        WNUT: 49.07,
    },
    "E-NER (BERT-base)": {
        CONLL_ID: 92.00,
        CONLL_TYPOS: 82.69,
        CONLL_OOV: 68.61,
        CONLL_OOD: 81.09,
        WNUT: 51.74,
    },
    "E-NER (BERT-large)": {
        CONLL_ID: 93.12,
        CONLL_TYPOS: 84.62,
        CONLL_OOV: 70.41,
        CONLL_OOD: 82.21,
        WNUT: 51.28,
    },
    "DataAug": {CONLL_TYPOS: 81.73, CONLL_OOV: 69.60, WNUT: 52.29},
    "VaniIB": {CONLL_TYPOS: 83.49, CONLL_OOV: 70.12, WNUT: 51.60},
    "MINER (RoBERTa-large)": {
        CONLL_ID: 90.19,
        CONLL_TYPOS: 87.57,
        CONLL_OOV: 79.15,
        CONLL_OOD: 77.01,
        WNUT: 54.86,
    },
}
"""Table 3, the local models alone: F1 in percent."""

SHARE_ROUTED: dict[str, dict[Cell, float]] = {
    "SpanNER (Confidence)": {
        CONLL_ID: 0.08,
        CONLL_TYPOS: 0.27,
        CONLL_OOV: 1.18,
        CONLL_OOD: 0.49,
        WNUT: 59.70,
    },
    "SpanNER (Entropy)": {
        CONLL_ID: 2.23,
        CONLL_TYPOS: 4.09,
        CONLL_OOV: 6.88,
        CONLL_OOD: 8.13,
        WNUT: 60.18,
    },
    "SpanNER (MCD)": {
        CONLL_ID: 0.44,
        CONLL_TYPOS: 0.95,
        CONLL_OOV: 0.35,
        CONLL_OOD: 0.66,
        WNUT: 13.82,
    },
    "E-NER (BERT-base)": {
        CONLL_ID: 2.81,
        CONLL_TYPOS: 12.90,
        CONLL_OOV: 21.17,
        CONLL_OOD: 19.79,
        WNUT: 85.13,
    },
    "E-NER (BERT-large)": {
        CONLL_ID: 2.38,
        CONLL_TYPOS: 9.29,
        CONLL_OOV: 13.78,
        CONLL_OOD: 14.33,
        WNUT: 55.66,
    },
}
"""Table 7: the share of decisions that were the LLM's, in percent."""

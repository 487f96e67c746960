"""How good what was found is, against gold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from mlworker.schema.message import Message


@dataclass(frozen=True)
class Scores(Message):
    """Exact-match micro scores over mentions, in percent."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def count(cls, predicted: Iterable[Any], gold: Iterable[Any]) -> Self:
        """Scores of a set of predicted mentions (any hashable) against a set of gold ones."""
        found, true = set(predicted), set(gold)
        return cls.of(len(found & true), len(found), len(true))

    @classmethod
    def of(cls, hits: int, found: int, gold: int) -> Self:
        """Scores where so many of the mentions `found` are among the `gold` ones."""
        precision = 100 * hits / found if found else 0.0
        recall = 100 * hits / gold if gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        return cls(round(precision, 2), round(recall, 2), round(f1, 2))

"""Training a model version."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mlworker.schema.calibration import Calibration
from mlworker.schema.message import Work
from mlworker.schema.scores import Scores
from mlworker.schema.tagging import Method


class Head(StrEnum):
    """What the local model's logits mean, and so how it is trained."""

    SOFTMAX = "softmax"
    EVIDENTIAL = "evidential"

    @property
    def methods(self) -> tuple[Method, ...]:
        """The uncertainty methods that such a model offers."""
        if self is Head.EVIDENTIAL:
            return tuple(Method)
        return tuple(method for method in Method if method is not Method.EVIDENTIAL)


@dataclass(frozen=True)
class TrainRequest(Work):
    """`dataset`, `model` and `start` are paths below the storage root; `dataset` is JSON lines of
    `Text` with a further key `split` (`train` or `dev`), `start` an earlier version that training
    goes on from where it is of the same kind, or "" to begin with the encoder."""

    dataset: str
    model: str
    labels: list[str]
    method: Method
    head: Head = Head.SOFTMAX
    start: str = ""


@dataclass(frozen=True)
class TrainResult(Work):
    """`dev` holds the held-out scores (None without dev texts) of the version that was saved;
    `warm` says whether it went on from the `start` that was given."""

    model: str
    encoder: str
    labels: list[str]
    train_texts: int
    dev_texts: int
    skipped_mentions: int
    dev: Scores | None
    seconds: float
    calibration: Calibration
    head: Head = Head.SOFTMAX
    warm: bool = False

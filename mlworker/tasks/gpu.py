"""The tasks of the queue `gpu`: tag, split into sentences, train, calibrate."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

from celery import shared_task

from mlworker import frontier, inference, pooling, progress, storage, versions
from mlworker.config import TrainConfig
from mlworker.schema import (
    CalibrateRequest,
    CalibrateResult,
    ReadSentence,
    SplitRequest,
    SplitResult,
    TaggedText,
    TagRequest,
    TagResult,
    Text,
    TrainRequest,
    TrainResult,
)
from mlworker.segmentation import sentences
from mlworker.tasks.envelope import envelope
from mlworker.training import Corpus
from mlworker.training import train as train_model

log = logging.getLogger(__name__)


@shared_task(name="mlworker.tag", acks_late=False)
@envelope(TagRequest)
def tag(request: TagRequest) -> TagResult:
    folder = storage.resolve(request.model)
    tagged = inference.tag(
        folder,
        request.texts,
        request.method,
        request.candidates_per_100,
        request.candidate_floor,
    )
    return TagResult(request.chunk, request.attempt, tagged)


@shared_task(name="mlworker.split", acks_late=False)
@envelope(SplitRequest)
def split(request: SplitRequest) -> SplitResult:
    """Where the sentences are, for as long as there is no model to say more."""
    cut = [
        TaggedText(
            text.id,
            [],
            [
                ReadSentence(found.offsets[0][0], found.offsets[-1][1], 0.0)
                for found in sentences(text)
            ],
        )
        for text in request.texts
    ]
    return SplitResult(request.chunk, request.attempt, cut)


@shared_task(name="mlworker.train", acks_late=False)
@envelope(TrainRequest)
def train(request: TrainRequest) -> TrainResult:
    split: dict[str, list[Text]] = {"train": [], "dev": []}
    for name, text in _dataset(storage.resolve(request.dataset)):
        split[name].append(text)
    trained = train_model(
        Corpus(tuple(request.labels), split["train"], split["dev"]),
        storage.resolve(request.model),
        start=_start(request),
        config=TrainConfig(head=request.head),
        methods=[request.method],
        report=progress.reporter(request),
    )
    return TrainResult(
        chunk=request.chunk,
        attempt=request.attempt,
        model=request.model,
        encoder=trained.encoder,
        labels=request.labels,
        train_texts=len(split["train"]),
        dev_texts=len(split["dev"]),
        skipped_mentions=trained.skipped_mentions,
        dev=trained.dev,
        seconds=trained.seconds,
        calibration=trained.calibrations[request.method],
        head=request.head,
        warm=trained.warm,
    )


def _start(request: TrainRequest) -> Path | None:
    """The version to go on from. One that is gone or damaged is no reason not to train: what it
    knew is in the gold, and the new version takes its place."""
    if not request.start:
        return None
    folder = storage.resolve(request.start)
    try:
        versions.verify(folder)
        versions.read_config(folder)
    except versions.DamagedVersionError as error:
        log.warning("trained anew: %s", error)
        return None
    return folder


@shared_task(name="mlworker.calibrate", acks_late=False)
@envelope(CalibrateRequest)
def calibrate(request: CalibrateRequest) -> CalibrateResult:
    calibration = frontier.calibrated(request.audited)
    pool = pooling.learn(request.audited, request.labels, calibration.tau)
    found = frontier.measure(request.audited, request.labels, request.shares)
    return CalibrateResult(request.chunk, request.attempt, calibration, pool, found)


def _dataset(path: Path) -> Iterator[tuple[str, Text]]:
    """Split and text of each line; `ValueError`, with its number, where one is neither."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                split = row.pop("split")
                if split not in ("train", "dev"):
                    raise ValueError(f"split must be train or dev, not {split!r}")
                yield split, Text.from_json(row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path.name}:{number}: {error}") from error

"""Training each variant of the local model on a corpus, and what it does on the test sets."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlworker import corpora, evaluation, inference, training
from mlworker.bench.paper import Cell
from mlworker.config import Robust, TrainConfig
from mlworker.evaluation import UncertaintyQuality
from mlworker.inference import Passes
from mlworker.measuring import measure as measure_dev
from mlworker.schema import Calibration, Head, HeldOut, Method, Scores, Text
from mlworker.training import Corpus, Report
from mlworker.uncertainty import METHODS

TRAIN, DEV = "train", "dev"
NAMES = {Robust.DATAAUG: "DataAug", Robust.VANIB: "VaniIB", Robust.MINER: "MINER"}
"""Of the robust trainings, as the paper calls them."""
EPOCH = re.compile(r"epoch \d+ of (\d+)")


@dataclass(frozen=True)
class Variant:
    """A local model of the paper: a head, and what makes its training robust."""

    head: Head
    robust: Robust = Robust.NONE

    @property
    def id(self) -> str:
        return self.robust.value if self.robust is not Robust.NONE else self.head.value

    @property
    def name(self) -> str:
        """As the paper calls it."""
        plain = {Head.SOFTMAX: "SpanNER", Head.EVIDENTIAL: "E-NER"}[self.head]
        return NAMES.get(self.robust, plain)

    @property
    def method(self) -> Method:
        """The uncertainty that this variant is known by."""
        return Method.EVIDENTIAL if self.head is Head.EVIDENTIAL else Method.LEAST_CONFIDENCE


class Speed:
    """Listens to a training: how fast its steps are, leaving out the measuring on dev."""

    def __init__(self, tell: Report) -> None:
        self._tell = tell
        self._epoch = ""
        self._at = self.seconds = self.passes = 0.0

    def __call__(self, done: int, total: int, note: str) -> None:
        self._tell(done, total, note)
        now = time.perf_counter()
        found = EPOCH.match(note)
        if found and found[0] == self._epoch:
            self.seconds += now - self._at
            self.passes += int(found[1]) / total
        self._epoch, self._at = found[0] if found else "", now

    def per_second(self, sentences: int) -> float:
        """Sentences trained on per second, of a corpus of `sentences`; 0 where nothing is known."""
        return self.passes * sentences / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Trained:
    """A model of the bench; `sentences_per_second` and `seconds` are None where it was there."""

    corpus: str
    variant: Variant
    folder: Path
    dev: Scores | None
    calibrations: dict[Method, Calibration]
    sentences_per_second: float | None = None
    seconds: float | None = None

    @property
    def taus(self) -> dict[Method, float]:
        return {method: found.tau for method, found in self.calibrations.items()}


@dataclass(frozen=True)
class Measured:
    """What a model does on one test set.

    `untempered` is the quality with the temperature left out, for the methods that it changes
    and that need no further pass through the model.
    """

    trained: Trained
    test: str
    scores: Scores
    quality: dict[Method, UncertaintyQuality]
    untempered: dict[Method, UncertaintyQuality]
    outcomes: list[HeldOut] = field(repr=False)

    @property
    def cell(self) -> Cell:
        return self.trained.corpus, self.test


@dataclass(frozen=True)
class Drawn:
    """Monte-Carlo dropout drawn in one way: what its uncertainty is worth, and what it costs."""

    name: str
    quality: UncertaintyQuality
    sentences_per_second: float


def load_corpus(files: dict[str, Path]) -> Corpus:
    """The train and dev texts; the labels are theirs."""
    train = corpora.read(files[TRAIN])
    dev = corpora.read(files[DEV]) if DEV in files else []
    return Corpus(corpora.labels([*train, *dev]), train, dev)


def train(
    corpus: Corpus,
    name: str,
    variant: Variant,
    folder: Path,
    *,
    encoder: str,
    seed: int,
    report: Report,
) -> Trained:
    """Trains `variant` on the corpus called `name`, into `folder`."""
    speed = Speed(report)
    config = TrainConfig(head=variant.head, robust=variant.robust)
    done = training.train(corpus, folder, seed=seed, encoder=encoder, config=config, report=speed)
    # A robust training reads sentences of its own making too.
    plain = variant.robust is Robust.NONE
    rate = speed.per_second(len(corpus.train)) if plain else None
    return Trained(name, variant, folder, done.dev, done.calibrations, rate, done.seconds)


def reuse(corpus: Corpus, name: str, variant: Variant, folder: Path) -> Trained:
    """The model that an earlier run left in `folder`, measured on dev again."""
    dev, calibrations = measure_dev(inference.load(folder), corpus.dev)
    return Trained(name, variant, folder, dev, calibrations)


def measure(trained: Trained, test: str, texts: Sequence[Text]) -> Measured:
    """What the model does on the test set called `test`."""
    model = inference.load(trained.folder)
    reading = inference.read(model, texts, trained.taus)
    untempered = {}
    if model.temperature != 1:
        plain = inference.read(replace(model, temperature=1.0), texts, [])
        taus = {method: tau for method, tau in trained.taus.items() if method in METHODS}
        untempered = evaluation.by_method(plain, taus)
    tagged = reading.tagged(trained.variant.method, 0)
    return Measured(
        trained,
        test,
        evaluation.scores(tagged, texts),
        evaluation.by_method(reading, trained.taus),
        untempered,
        evaluation.outcomes(tagged, texts),
    )


def draw_dropout(trained: Trained, texts: Sequence[Text]) -> list[Drawn]:
    """Monte-Carlo dropout through the head alone, and through the encoder too."""
    model, method = inference.load(trained.folder), Method.MC_DROPOUT
    out = []
    for name, passes in (("head", Passes()), ("encoder", Passes(encoder=True))):
        started = time.perf_counter()
        reading = inference.read(model, texts, [method], passes)
        seconds = time.perf_counter() - started
        quality = evaluation.by_method(reading, {method: trained.taus[method]})[method]
        out.append(Drawn(name, quality, len(texts) / seconds))
    return out

"""What each command of `python -m mlworker` does."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlworker import calibration, corpora, evaluation, fusion, inference, plots, versions
from mlworker import training as local
from mlworker.bench import command
from mlworker.config import TrainConfig
from mlworker.reading import Reading
from mlworker.schema import Head, HeldOut, Method, TagRequest, Text
from mlworker.training import Corpus
from mlworker.versions import LocalModel

WARM_UP = 32
"""Texts that are tagged before the clock runs: a process chooses its kernels at first use."""


def train(options: argparse.Namespace) -> None:
    texts = corpora.read(options.train)
    dev = corpora.read(options.dev) if options.dev else []
    for label in sorted({*corpora.labels(dev)} - {*corpora.labels(texts)}):
        _warn(f"no mention in {options.train} is a {label!r}, only in {options.dev}: a typo?")
    trained = local.train(
        Corpus(corpora.labels([*texts, *dev]), texts, dev),
        options.out,
        seed=options.seed,
        encoder=options.encoder,
        start=options.start,
        config=TrainConfig(head=_head(options), robust=options.robust),
        report=_Progress(),
    )
    print(file=sys.stderr)
    if options.start and not trained.warm:
        _warn(
            f"not gone on from {options.start} but trained anew: its labels, head or encoder are "
            "others, or its spans are narrower"
        )
    figures = asdict(trained)
    figures["calibrations"] = {
        method.value: {key: value for key, value in found.to_json().items() if key != "intervals"}
        for method, found in trained.calibrations.items()
    }
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def _head(options: argparse.Namespace) -> Head:
    """The one that was asked for, else that of the version to go on from."""
    if options.head is None and options.start:
        versions.verify(options.start)
        return Head(versions.read_config(options.start)["model"].get("head", Head.SOFTMAX))
    return Head(options.head or Head.SOFTMAX)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


class _Progress:
    """Told on one line; where nobody watches, on a line for each epoch."""

    def __init__(self) -> None:
        self.note = ""

    def __call__(self, done: int, total: int, note: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{total} {note}\x1b[K", end="", file=sys.stderr, flush=True)
        elif note != self.note:
            print(f"{done}/{total} {note}", file=sys.stderr, flush=True)
        self.note = note


def predict(options: argparse.Namespace) -> None:
    """An object per text: what is predicted, and which of it exceeds the version's τ."""
    model = inference.load(options.model)
    evidential = Method.EVIDENTIAL in model.config.head.methods
    method = options.method or (Method.EVIDENTIAL if evidential else Method.LEAST_CONFIDENCE)
    tau = versions.read_config(options.model)["taus"].get(method, calibration.DEFAULT_TAU)
    for path in options.data:
        is_corpus = bool(corpora.split(path))
        texts = corpora.read(path) if is_corpus else [_text(path, options.language)]
        tagged = inference.tag_with(model, texts, method, TagRequest.candidates_per_100)
        for text, answer in zip(texts, tagged, strict=True):
            shown = {"file": str(path), "id": text.id, "method": method, "tau": tau}
            # The offsets count in the words of a corpus file, joined by blanks.
            shown |= {"text": text.text} if is_corpus else {}
            shown["spans"] = [
                {
                    "text": text.text[span.start : span.end],
                    "routed": fusion.is_routed(span, tau),
                    # The nearest gold of `span` is named by its place in a project.
                    **{key: value for key, value in asdict(span).items() if key != "nearest"},
                }
                for span in answer.spans
            ]
            print(json.dumps(shown, ensure_ascii=False))


def _text(path: Path, language: str) -> Text:
    """A file of plain text as one; a byte order mark is not counted."""
    # newline="" keeps line ends as they are, and with them every offset.
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return Text(0, file.read(), language=language)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8 ({error.reason}): save it as UTF-8") from error


def evaluate(options: argparse.Namespace) -> None:
    model = inference.load(options.model)
    known = versions.read_config(options.model)["taus"]
    taus = {
        method: known.get(method, calibration.DEFAULT_TAU) for method in model.config.head.methods
    }
    figures = [_figures(model, path, taus, options.questions_per_100) for path in options.data]
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for row in figures:
        methods = row.pop("methods")
        print("  ".join(f"{key} {value}" for key, value in row.items()))
        for method, quality in methods.items():
            print(" ", method, "  ".join(f"{key} {value}" for key, value in quality.items()))


def _figures(
    model: LocalModel, path: Path, taus: Mapping[Method, float], budget: float | None
) -> dict[str, Any]:
    texts = corpora.read(path)
    for label in sorted({*corpora.labels(texts)} - {*model.config.labels}):
        _warn(f"the model does not know the label {label!r} of {path}: a typo?")
    inference.tag_with(model, texts[:WARM_UP], Method.LEAST_CONFIDENCE, 0)
    started = time.perf_counter()
    tagged = inference.tag_with(
        model, texts, Method.LEAST_CONFIDENCE, TagRequest.candidates_per_100
    )
    seconds = time.perf_counter() - started
    reading = inference.read(model, texts, taus)
    if budget is not None:
        most = int(len(texts) * budget / 100)
        taus = {method: _tau_for_budget(reading, method, most) for method in taus}
    return {
        "file": str(path),
        **asdict(evaluation.scores(tagged, texts)),
        "sentences": len(texts),
        "sentences_per_second": round(len(texts) / seconds, 1),
        "methods": {
            method.value: {"tau": taus[method], **asdict(quality)}
            for method, quality in evaluation.by_method(reading, taus).items()
        },
    }


def _tau_for_budget(reading: Reading, method: Method, most: int) -> float:
    found = (span.uncertainty for text in reading.tagged(method, 0) for span in text.spans)
    return calibration.tau_for_budget(list(found), most)


def plot(options: argparse.Namespace) -> None:
    outcomes = _outcomes(options.outcomes)
    found = calibration.calibrate(outcomes)
    title = options.title
    drawn = {
        "figure4": plots.density(outcomes, title),
        "figure5": plots.crossing(found, title),
        "figure6": plots.thresholds(outcomes, found.tau, title),
    }
    if any(o.llm_correct is not None for o in outcomes):
        drawn["figure7"] = plots.comparison(outcomes, found.tau, title)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, svg in drawn.items():
        (options.out / f"{name}.svg").write_text(svg, encoding="utf-8")


def _outcomes(path: Path) -> list[HeldOut]:
    out = []
    for number, line in enumerate(corpora.decode(path).split("\n"), 1):
        try:
            out += [HeldOut.from_json(json.loads(line))] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    if not out:
        raise ValueError(f"{path}: there is no outcome in it")
    return out


def bench(options: argparse.Namespace) -> None:
    given = {name: value for name, value in vars(options).items() if name != "run"}
    command.run(command.Options(**given), lambda table: print(f"\n{table}"), _Progress())

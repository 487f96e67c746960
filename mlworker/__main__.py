"""The ML core on files: `python -m mlworker train|predict|evaluate`, without Django."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlworker import conll, evaluation, inference, versions
from mlworker.schema import Method, Text
from mlworker.training import Corpus, train

CANDIDATES_PER_100 = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mlworker", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    learn = commands.add_parser("train", help="train on CoNLL files and save a model version")
    learn.add_argument("--train", type=Path, required=True, metavar="FILE")
    learn.add_argument("--dev", type=Path, metavar="FILE", help="picks the epoch and sets τ")
    learn.add_argument("--out", type=Path, required=True, metavar="DIR")
    learn.add_argument("--encoder", default="", help="local folder (default: SPANLIGHT_ENCODER)")
    learn.add_argument("--seed", type=int, default=1)
    learn.set_defaults(run=_train)
    predict = commands.add_parser("predict", help="print a JSON object per text")
    predict.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE")
    predict.add_argument("--method", type=Method, choices=list(Method), default=next(iter(Method)))
    predict.set_defaults(run=_predict)
    evaluate = commands.add_parser("evaluate", help="figures per CoNLL file")
    evaluate.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE")
    evaluate.add_argument("--json", action="store_true", help="print one JSON list")
    evaluate.set_defaults(run=_evaluate)
    for command in (predict, evaluate):
        command.add_argument("--model", type=Path, required=True, metavar="DIR")
    return parser


def _train(options: argparse.Namespace) -> None:
    texts = conll.read(options.train)
    dev = conll.read(options.dev) if options.dev else []
    labels = tuple(sorted({m.label for text in texts + dev for m in text.mentions}))
    trained = train(
        Corpus(labels, texts, dev),
        options.out,
        seed=options.seed,
        encoder=options.encoder,
        report=_show_progress,
    )
    print(file=sys.stderr)
    figures = asdict(trained)
    figures["calibrations"] = {m.value: c.to_json() for m, c in trained.calibrations.items()}
    print(json.dumps(figures, indent=1))


def _show_progress(done: int, total: int, note: str) -> None:
    print(f"\r{done}/{total} {note}\x1b[K", end="", file=sys.stderr, flush=True)


def _predict(options: argparse.Namespace) -> None:
    model = inference.load(options.model)
    for path in options.data:
        texts = _texts(path)
        tagged = inference.tag_with(model, texts, options.method, CANDIDATES_PER_100)
        for text, answer in zip(texts, tagged, strict=True):
            spans = [{"text": text.text[s.start : s.end], **asdict(s)} for s in answer.spans]
            print(json.dumps({"file": str(path), "id": text.id, "spans": spans}))


def _texts(path: Path) -> list[Text]:
    """A CoNLL file's sentences; any other file is one text."""
    if path.suffix == ".conll":
        return conll.read(path)
    # newline="" keeps line ends as they are, and with them every offset.
    with path.open(encoding="utf-8", newline="") as file:
        return [Text(0, file.read())]


def _evaluate(options: argparse.Namespace) -> None:
    model = inference.load(options.model)
    taus = versions.read_config(options.model)["taus"]
    figures = [_figures(model, path, taus) for path in options.data]
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for row in figures:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


def _figures(model: versions.LocalModel, path: Path, taus: dict[str, float]) -> dict[str, Any]:
    texts = conll.read(path)
    started = time.monotonic()
    tagged = inference.tag_with(model, texts, Method.LEAST_CONFIDENCE, CANDIDATES_PER_100)
    seconds = time.monotonic() - started
    return {
        "file": str(path),
        **asdict(evaluation.scores(tagged, texts)),
        "sentences": len(texts),
        "sentences_per_second": round(len(texts) / seconds, 1),
        "methods": {
            method.value: {
                "tau": taus[method],
                **asdict(
                    evaluation.uncertainty_quality(
                        evaluation.outcomes(tagged, texts, method), taus[method]
                    )
                ),
            }
            for method in Method
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())

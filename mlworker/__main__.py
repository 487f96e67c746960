"""The ML core on files, without Django: `python -m mlworker train|predict|evaluate|plot|bench`.

Gold is read from CoNLL columns or SpanNER's JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlworker import calibration, corpora, evaluation, inference, plots, versions
from mlworker.bench import command
from mlworker.config import Robust, TrainConfig
from mlworker.reading import Reading
from mlworker.schema import DEFAULT_LANGUAGE, Head, HeldOut, Method, TagRequest, Text
from mlworker.training import Corpus, train
from mlworker.versions import LocalModel

WARM_UP = 32
"""Texts that are tagged before the clock runs: a process chooses its kernels at first use."""


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
    _add_train(commands.add_parser("train", help="train on gold and save a model version"))
    _add_predict(commands.add_parser("predict", help="print a JSON object per text"))
    _add_evaluate(commands.add_parser("evaluate", help="figures per file of gold"))
    _add_plot(commands.add_parser("plot", help="the paper's figures 4 to 7 as SVG"))
    _add_bench(commands.add_parser("bench", help="train, measure and compare on whole corpora"))
    return parser


def _add_train(command: argparse.ArgumentParser) -> None:
    command.add_argument("--train", type=Path, required=True, metavar="FILE")
    command.add_argument(
        "--dev", type=Path, metavar="FILE", help="picks the epoch, sets temperature and τ"
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--head", type=Head, choices=list(Head), default=Head.SOFTMAX)
    command.add_argument(
        "--robust",
        type=Robust,
        choices=list(Robust),
        default=Robust.NONE,
        help="what training does so as not to learn names by heart",
    )
    command.add_argument("--start", type=Path, metavar="DIR", help="a version to go on from")
    _add_encoder(command)
    command.set_defaults(run=_train)


def _add_encoder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--encoder", default="", help="local folder or hub id (default: SPANLIGHT_ENCODER)"
    )
    command.add_argument("--seed", type=int, default=1)


def _add_predict(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=Path, required=True, metavar="DIR")
    command.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE")
    command.add_argument(
        "--method", type=Method, choices=list(Method), default=Method.LEAST_CONFIDENCE
    )
    command.add_argument(
        "--language",
        default=DEFAULT_LANGUAGE,
        help="of plain text files (ISO 639, xx for any; default: %(default)s)",
    )
    command.set_defaults(run=_predict)


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=Path, required=True, metavar="DIR")
    command.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE")
    command.add_argument("--json", action="store_true", help="print one JSON list")
    command.add_argument(
        "--questions-per-100",
        type=_amount,
        metavar="N",
        help="route at most so many mentions per 100 sentences, not by the version's own τ",
    )
    command.set_defaults(run=_evaluate)


def _add_plot(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--outcomes",
        type=Path,
        required=True,
        metavar="FILE",
        help="a JSON object per held-out mention: uncertainty, local_correct, llm_correct or null",
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--title", default="")
    command.set_defaults(run=_plot)


def _add_bench(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a corpus, or a folder of them"
    )
    command.add_argument("--out", type=Path, default=Path("bench.json"), metavar="FILE")
    command.add_argument("--models", type=Path, default=Path("data/bench"), metavar="DIR")
    command.add_argument("--plots", type=Path, metavar="DIR")
    command.add_argument("--only", type=_names, default=[], metavar="CORPUS,…")
    command.add_argument("--heads", type=_heads, default=list(Head), metavar="HEAD,…")
    command.add_argument("--robust", type=_robust, default=[], metavar="ROBUST,…")
    command.add_argument("--reuse", action="store_true", help="train only what is not in --models")
    command.add_argument(
        "--largest", type=_eight, default=100_000, metavar="N", help="sentences to tag at once"
    )
    _add_encoder(command)
    command.set_defaults(run=_bench)


def _names(value: str) -> list[str]:
    return [name for name in value.split(",") if name]


def _heads(value: str) -> list[Head]:
    return [Head(name) for name in _names(value)]


def _eight(value: str) -> int:
    """At least so many: the growth is measured from an eighth of them on."""
    if int(value) < 8:
        raise ValueError(value)
    return int(value)


def _amount(value: str) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(value)
    return number


def _robust(value: str) -> list[Robust]:
    return [Robust(name) for name in _names(value)]


def _train(options: argparse.Namespace) -> None:
    texts = corpora.read(options.train)
    dev = corpora.read(options.dev) if options.dev else []
    trained = train(
        Corpus(corpora.labels([*texts, *dev]), texts, dev),
        options.out,
        seed=options.seed,
        encoder=options.encoder,
        start=options.start,
        config=TrainConfig(head=options.head, robust=options.robust),
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
        texts = _texts(path, options.language)
        tagged = inference.tag_with(model, texts, options.method, TagRequest.candidates_per_100)
        for text, answer in zip(texts, tagged, strict=True):
            spans = [{"text": text.text[s.start : s.end], **asdict(s)} for s in answer.spans]
            print(json.dumps({"file": str(path), "id": text.id, "spans": spans}))


def _texts(path: Path, language: str) -> list[Text]:
    """A corpus file's sentences; any other file is one text."""
    if corpora.split(path):
        return corpora.read(path)
    # newline="" keeps line ends as they are, and with them every offset.
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [Text(0, file.read(), language=language)]


def _evaluate(options: argparse.Namespace) -> None:
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


def _plot(options: argparse.Namespace) -> None:
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
    return out


def _bench(options: argparse.Namespace) -> None:
    given = {name: value for name, value in vars(options).items() if name != "run"}
    command.run(command.Options(**given), lambda table: print(f"\n{table}"), _show_progress)


if __name__ == "__main__":
    raise SystemExit(main())

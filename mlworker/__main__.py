"""The ML core on files, without Django: `python -m mlworker train|predict|evaluate|plot|bench`.

Gold is read from CoNLL columns or SpanNER's JSON.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from mlworker import commands
from mlworker.config import Robust
from mlworker.schema import DEFAULT_LANGUAGE, Head, Method

Kind = TypeVar("Kind", bound=StrEnum)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except BrokenPipeError:  # whoever reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mlworker", description=__doc__)
    parsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(parsers.add_parser("train", help="train on gold and save a model version"))
    _add_predict(parsers.add_parser("predict", help="print a JSON object per text"))
    _add_evaluate(parsers.add_parser("evaluate", help="figures per file of gold"))
    _add_plot(parsers.add_parser("plot", help="the paper's figures 4 to 7 as SVG"))
    _add_bench(parsers.add_parser("bench", help="train, measure and compare on whole corpora"))
    return parser


def _add_train(command: argparse.ArgumentParser) -> None:
    command.add_argument("--train", type=Path, required=True, metavar="FILE")
    command.add_argument(
        "--dev", type=Path, metavar="FILE", help="picks the epoch, sets temperature and τ"
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument(
        "--head",
        type=_one_of(Head),
        metavar="|".join(Head),
        help="default: that of --start, else softmax",
    )
    command.add_argument(
        "--robust",
        type=_one_of(Robust),
        metavar="|".join(Robust),
        default=Robust.NONE,
        help="what training does so as not to learn names by heart (default: %(default)s)",
    )
    command.add_argument("--start", type=Path, metavar="DIR", help="a version to go on from")
    _add_encoder(command)
    command.set_defaults(run=commands.train)


def _add_encoder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--encoder", default="", help="local folder or hub id (default: SPANLIGHT_ENCODER)"
    )
    command.add_argument("--seed", type=int, default=1)


def _add_predict(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=Path, required=True, metavar="DIR")
    command.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE")
    command.add_argument(
        "--method",
        type=_one_of(Method),
        metavar="|".join(Method),
        help="default: evidential where the head is, else least_confidence",
    )
    command.add_argument(
        "--language",
        default=DEFAULT_LANGUAGE,
        help="of plain text files: a code of ISO 639, or xx for any (default: %(default)s)",
    )
    command.set_defaults(run=commands.predict)


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
    command.set_defaults(run=commands.evaluate)


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
    command.set_defaults(run=commands.plot)


def _add_bench(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a corpus, or a folder of them"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("bench.json"),
        metavar="FILE",
        help="where every figure goes (default: %(default)s)",
    )
    command.add_argument(
        "--models",
        type=Path,
        default=Path("data/bench"),
        metavar="DIR",
        help="where the versions go (default: %(default)s)",
    )
    command.add_argument("--plots", type=Path, metavar="DIR", help="draw Fig. 4 to 6 there")
    command.add_argument(
        "--only", type=_names, default=[], metavar="CORPUS,…", help="folders below --data"
    )
    command.add_argument(
        "--heads",
        type=_some_of(Head),
        default=list(Head),
        metavar="HEAD,…",
        help=f"of {', '.join(Head)} (default: both)",
    )
    command.add_argument(
        "--robust",
        type=_some_of(Robust),
        default=[],
        metavar="ROBUST,…",
        help=f"of {', '.join(Robust)}, with a softmax head (default: none of them)",
    )
    command.add_argument("--reuse", action="store_true", help="train only what is not in --models")
    command.add_argument(
        "--link",
        type=_names,
        default=[],
        metavar="CORPUS,…",
        help="link their dev sets to the LLM server of the environment, or to that of --replay",
    )
    command.add_argument(
        "--replay",
        type=Path,
        metavar="DIR",
        help="a folder with replay_server.py and recorded answers (*.jsonl) to link to",
    )
    command.add_argument(
        "--largest", type=_eight, default=100_000, metavar="N", help="sentences to tag at once"
    )
    _add_encoder(command)
    command.set_defaults(run=commands.bench)


def _names(value: str) -> list[str]:
    return [name for name in value.split(",") if name]


def _eight(value: str) -> int:
    """At least so many: the growth is measured from an eighth of them on."""
    if not value.isdecimal() or int(value) < 8:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of 8 or more")
    return int(value)


def _amount(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{value!r} is no amount of 0 or more")
    return number


def _one_of(kind: type[Kind]) -> Callable[[str], Kind]:
    def chosen(value: str) -> Kind:
        try:
            return kind(value)
        except ValueError as error:
            known = ", ".join(kind)
            raise argparse.ArgumentTypeError(f"{value!r} is none of {known}") from error

    return chosen


def _some_of(kind: type[Kind]) -> Callable[[str], list[Kind]]:
    return lambda value: [_one_of(kind)(name) for name in _names(value)]


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m mlworker bench`: trains, measures, says tables, writes bench.json and plots."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from mlworker import corpora, hardware, inference, plots
from mlworker.bench import accuracy, figures, linking, rows, speed, tables
from mlworker.bench.accuracy import DEV, TRAIN, Measured, Trained, Variant
from mlworker.bench.replaying import replayed
from mlworker.bench.rows import Figure
from mlworker.bench.verdicts import verdicts
from mlworker.config import Robust
from mlworker.schema import Head, Text
from mlworker.training import Corpus, Report
from mlworker.versions import MANIFEST

CPU_INFO = Path("/proc/cpuinfo")
PLAIN_TEST = "test"
DRAWN_ON = 1000
"""Dev texts that Monte-Carlo dropout is drawn on, in ten passes through the encoder too."""

Say = Callable[[str], None]
Figures = Iterator[Figure]


@dataclass(frozen=True, kw_only=True)
class Options:
    """`data` holds a folder per corpus, or is one; `largest` is the number of sentences up to
    which the growth of tagging's time is measured; without `plots` none are drawn. The dev sets of
    the corpora in `link` are linked too, to the LLM server of the environment, or to that in
    `replay`, which answers from recordings."""

    data: Path
    out: Path
    models: Path
    plots: Path | None = None
    only: Sequence[str] = ()
    heads: Sequence[Head] = tuple(Head)
    robust: Sequence[Robust] = ()
    encoder: str = ""
    seed: int = 1
    reuse: bool = False
    replay: Path | None = None
    link: Sequence[str] = ()
    largest: int = 100_000

    @property
    def variants(self) -> list[Variant]:
        """Each head as it is, and a softmax head with each robust training."""
        robust = [Variant(Head.SOFTMAX, name) for name in self.robust]
        return [*map(Variant, self.heads), *robust]


@dataclass(frozen=True)
class Gold:
    """A corpus by its name, with its test sets, that called "test" first; `test` is its file."""

    name: str
    folder: Path
    corpus: Corpus
    tests: dict[str, list[Text]]
    test: Path


def run(options: Options, say: Say, report: Report) -> None:
    """Raises `ValueError` where there is no corpus, or one without a file that is needed."""
    gold = [_gold(folder) for folder in _folders(options)]
    missing = {*options.link} - {found.name for found in gold}
    if missing and not options.only:
        raise ValueError(f"{options.data} has no corpus {', '.join(sorted(missing))} to link")
    say(machine())
    trained = [(g, [_trained(options, g, v, report) for v in options.variants]) for g in gold]
    found = [
        *_training(trained, say),
        *_tagging(options, trained, say),
        *_tests(options, trained, say),
        *_linking(options, trained, say),
    ]
    rows.write(found, options.out)


def _training(trained: Sequence[tuple[Gold, list[Trained]]], say: Say) -> Figures:
    models = [model for _, variants in trained for model in variants]
    say(tables.training(models))
    for model in models:
        yield from figures.of_training(model)
    drawn = {
        gold.name: accuracy.draw_dropout(variants[0], gold.corpus.dev[:DRAWN_ON])
        for gold, variants in trained
        if gold.corpus.dev
    }
    say(tables.dropout(drawn))
    for corpus, both in drawn.items():
        yield from figures.of_dropout(corpus, both)


def _tagging(options: Options, trained: Sequence[tuple[Gold, list[Trained]]], say: Say) -> Figures:
    """On the smallest corpus, with the first variant."""
    gold, (model, *_) = min(trained, key=lambda pair: len(pair[0].corpus.train))
    texts = next(iter(gold.tests.values()))
    tagging = speed.tagging(model.folder, gold.test, texts, gold.corpus.dev)
    say(f"Tagging {gold.test}\n\n{tables.tagging(tagging)}")
    yield from figures.of_tagging(tagging)
    growth = speed.growth(inference.load(model.folder), texts, options.largest)
    say(tables.growth(growth))
    yield from figures.of_growth(growth)
    small = speed.small_training(
        gold.corpus, model.folder, encoder=options.encoder, seed=options.seed
    )
    say(tables.small_training(small))
    yield from figures.of_small_training(small)


def _tests(options: Options, trained: Sequence[tuple[Gold, list[Trained]]], say: Say) -> Figures:
    measured = [
        accuracy.measure(model, test, texts)
        for gold, variants in trained
        for test, texts in gold.tests.items()
        for model in variants
    ]
    for table in (tables.f1, tables.share_routed, tables.auroc, tables.ece):
        say(table(measured))
    say("\n".join(f"- {verdict}" for verdict in verdicts(measured)))
    for found in measured:
        yield from figures.of_test(found)
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        for found in measured:
            _draw(found, options.plots)


def _linking(options: Options, trained: Sequence[tuple[Gold, list[Trained]]], say: Say) -> Figures:
    """With the first variant."""
    with replayed(options.replay) if options.replay else nullcontext():
        for gold, (model, *_) in trained:
            if gold.name in options.link:
                labels = corpora.described(gold.folder, gold.corpus.labels)
                found = linking.measure(model, gold.corpus, labels)
                say(f"{tables.linking(found)}\n\n{tables.prompts(found)}")
                yield from figures.of_linking(found)


def _draw(found: Measured, folder: Path) -> None:
    """The figures that need no LLM: Fig. 4 to 6, the last two without its curves."""
    variant, (corpus, test) = found.trained.variant, found.cell
    calibration = found.trained.calibrations[variant.method]
    title = f"{corpus} {test}: {variant.name}, {variant.method.value.replace('_', ' ')}"
    drawn = {
        "figure4": plots.density(found.outcomes, title),
        "figure5": plots.crossing(calibration, title.replace(f" {test}:", f" {DEV}:")),
        "figure6": plots.thresholds(found.outcomes, calibration.tau, title),
    }
    for name, svg in drawn.items():
        file = folder / f"{corpus}.{test}.{variant.id}.{name}.svg"
        file.write_text(svg, encoding="utf-8")


def _folders(options: Options) -> list[Path]:
    inside = [path for path in sorted(options.data.iterdir()) if path.is_dir()]
    found = [
        folder
        for folder in (options.data, *inside)
        if TRAIN in corpora.splits(folder) and (not options.only or folder.name in options.only)
    ]
    if missing := set(options.only) - {folder.name for folder in found}:
        raise ValueError(f"{options.data} has no corpus {', '.join(sorted(missing))}")
    if not found:
        raise ValueError(
            f"{options.data} has no corpus: no folder with a file train.conll or .json"
        )
    return found


def _gold(folder: Path) -> Gold:
    files = corpora.splits(folder)
    names = sorted(files.keys() - {TRAIN, DEV}, key=lambda name: (name != PLAIN_TEST, name))
    if not names:
        raise ValueError(f"{folder} has no test set beside its train file")
    # All is read before anything is trained: what is broken is to be known now.
    tests = {name: corpora.read(files[name]) for name in names}
    return Gold(folder.resolve().name, folder, accuracy.load_corpus(files), tests, files[names[0]])


def _trained(options: Options, gold: Gold, variant: Variant, report: Report) -> Trained:
    folder = options.models / gold.name / variant.id
    if options.reuse and (folder / MANIFEST).exists():
        return accuracy.reuse(gold.corpus, gold.name, variant, folder)

    def tell(done: int, total: int, note: str) -> None:
        report(done, total, f"{gold.name} {variant.name}: {note}")

    return accuracy.train(
        gold.corpus,
        gold.name,
        variant,
        folder,
        encoder=options.encoder,
        seed=options.seed,
        report=tell,
    )


def machine() -> str:
    """The day, and what the figures were measured on."""
    device = hardware.best_device()
    if device.type == "cuda":
        kind = torch.cuda.get_device_name(device)
    else:
        named = (
            re.search(r"model name\s*:\s*(.+)", CPU_INFO.read_text()) if CPU_INFO.exists() else None
        )
        kind = named[1] if named else platform.processor()
    fast = "bfloat16 in hardware" if hardware.fast_bfloat16(device) else "no bfloat16 in hardware"
    today = datetime.now(UTC).date()
    products = ", ".join(f"{name} {rate:.0f}" for name, rate in speed.products().items())
    return (
        f"{today}, {os.cpu_count()} cores, {kind}, {fast}, torch {torch.__version__}\n"
        f"matrix products, 10^9 operations/s: {products}"
    )

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from mlworker import corpora, versions
from mlworker.__main__ import main
from mlworker.bench import accuracy, figures, memory, tables
from mlworker.bench.accuracy import Measured, Speed, Trained, Variant
from mlworker.bench.rows import Better, Figure
from mlworker.bench.verdicts import verdicts
from mlworker.config import Robust
from mlworker.evaluation import UncertaintyQuality
from mlworker.schema import Calibration, Head, Scores, Text
from tests.mlworker.conftest import sample


def write_columns(texts: Iterable[Text], file: Path) -> None:
    """`texts`, whose words are parted by blanks, as CoNLL columns."""
    lines = []
    for text in texts:
        at = 0
        for word in text.text.split(" "):
            inside = next((m for m in text.mentions if m.start <= at < m.end), None)
            begins = inside and ("B" if inside.start == at else "I")
            lines.append(f"{word}\t{f'{begins}-{inside.label}' if inside else 'O'}")
            at += len(word) + 1
        lines.append("")
    file.write_text("\n".join(lines), encoding="utf-8")


def test_columns_written_are_read_back(tmp_path: Path) -> None:
    write_columns(sample(8), tmp_path / "x.conll")
    again = corpora.read(tmp_path / "x.conll")
    assert [(t.text, t.mentions) for t in again] == [(t.text, t.mentions) for t in sample(8)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one corpus, called tiny, of three test sets."""
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    write_columns(sample(24), folder / "train.conll")
    for name in ("dev", "test", "oov"):
        write_columns(sample(20), folder / f"{name}.conll")
    (folder / "labels.yaml").write_text("not a corpus")
    (folder.parent / "notes.md").write_text("nor this")
    return folder.parent


def bench(data: Path, *more: str) -> int:
    out, models = data.parent / "bench.json", data.parent / "models"
    common = ["--data", str(data), "--out", str(out), "--models", str(models)]
    return main(["bench", *common, *more])


def test_a_bench_of_a_small_corpus_from_training_to_plots(
    data: Path,
    encoder_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "peak", lambda _model, _file: 512.0)
    more = ["--encoder", str(encoder_folder), "--largest", "80"]
    assert bench(data, *more, "--heads", "softmax", "--plots", str(data.parent / "plots")) == 0
    said = capsys.readouterr().out
    for title in ("training", "MC dropout", "tagging", "F1 (%)", "routed (%)", "AUROC", "ECE"):
        assert re.search(rf"^\| {re.escape(title)}", said, re.MULTILINE), title
    rows = json.loads((data.parent / "bench.json").read_text())
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == len(rows)
    for row in rows:
        assert set(row) == {"id", "value", "unit", "better"}
        assert row["better"] in ("higher", "lower")
    for known in (
        "tiny.softmax.dev.f1",
        "tiny.softmax.training.rate",
        "tiny.dev.mc_dropout.encoder.rate",
        "tagging.fp32.rate",
        "tagging.batching",
        "tagging.memory",
        "tagging.growth",
        "training.small.warm.seconds",
        "tiny.oov.softmax.f1",
        "tiny.test.softmax.entropy.ece",
    ):
        assert by_id[known]["value"] > 0, known
    assert {path.name for path in (data.parent / "plots").iterdir()} == {
        f"tiny.{test}.softmax.figure{number}.svg"
        for test in ("test", "oov")
        for number in (4, 5, 6)
    }

    trained = (data.parent / "models/tiny/softmax" / versions.MANIFEST).stat().st_mtime_ns
    assert bench(data, *more, "--heads", "softmax", "--only", "tiny", "--reuse") == 0
    again = json.loads((data.parent / "bench.json").read_text())
    assert (data.parent / "models/tiny/softmax" / versions.MANIFEST).stat().st_mtime_ns == trained
    scores = [row for row in again if row["id"].startswith("tiny.test.softmax")]
    assert scores == [row for row in rows if row["id"].startswith("tiny.test.softmax")]


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--only", "tiny,other"], "no corpus other"), (["--data", "/nowhere"], "nowhere")],
)
def test_what_is_not_there_is_one_clear_line(
    more: list[str], said: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(data, *more) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_folder_without_a_test_set_or_a_corpus_is_named(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("test", "oov"):
        (data / "tiny" / f"{name}.conll").unlink()
    assert bench(data) == 1
    assert "no test set" in capsys.readouterr().err
    (data / "tiny" / "train.conll").unlink()
    assert bench(data) == 1
    assert "has no corpus" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--heads", "soft"], ["--robust", "magic"]])
def test_an_unknown_variant_is_refused(wrong: list[str], data: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench(data, *wrong)


def test_speed_leaves_out_what_happens_between_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 100.0, 101.0, 103.0, 500.0, 502.0, 503.0])
    monkeypatch.setattr(accuracy.time, "perf_counter", lambda: next(clock))
    heard: list[str] = []
    speed = Speed(lambda _done, _total, note: heard.append(note))
    speed(0, 1, "reading the gold")
    for done in range(1, 7):
        note = "epoch 1 of 2" if done <= 3 else "epoch 2 of 2, F1 9.0 on the dev texts"
        speed(done, 6, note)
    # Four of six steps in 6 s, of two epochs of 9 sentences: 12 sentences.
    assert speed.per_second(9) == pytest.approx(2.0)
    assert len(heard) == 7
    assert Speed(lambda *_: None).per_second(9) == 0


def done(variant: Variant, f1: float, auroc: float, ece: float, test: str = "oov") -> Measured:
    """What `variant` did on a test set of conll03."""
    known = dict.fromkeys(variant.head.methods, 0.3)
    trained = Trained(
        "conll03", variant, Path(), None, {m: Calibration(t, [], "") for m, t in known.items()}
    )
    quality = {method: UncertaintyQuality(auroc, ece, 0.25) for method in known}
    before = {variant.method: UncertaintyQuality(auroc, 0.2, 0.25)}
    untempered = before if variant.head is Head.SOFTMAX else {}
    return Measured(trained, test, Scores(0, 0, f1), quality, untempered, [])


SOFTMAX, EVIDENTIAL = Variant(Head.SOFTMAX), Variant(Head.EVIDENTIAL)
MINER = Variant(Head.SOFTMAX, Robust.MINER)


def test_tables_have_the_papers_rows_beside_ours() -> None:
    found = [done(SOFTMAX, 64.8, 0.75, 0.1), done(EVIDENTIAL, 65.2, 0.8, 0.1)]
    rows = [re.split(r" *\| *", line)[1:-1] for line in tables.f1(found).splitlines()]
    assert rows[0] == ["F1 (%)", "conll03 oov"]
    assert ["paper: SpanNER (BERT-large)", "64.43"] in rows
    assert ["SpanNER", "64.80"] in rows
    assert ["E-NER", "65.20"] in rows
    routed = tables.share_routed(found)
    assert re.search(r"paper: E-NER \(BERT-base\) +\| +21.17", routed)
    assert re.search(r"E-NER \(evidential\) +\| +25.00", routed)
    assert re.search(r"SpanNER \(least_confidence\), untempered +\| +0.200", tables.ece(found))


def test_settings_that_say_nothing_of_a_test_set_are_left_out() -> None:
    other = [done(SOFTMAX, 64.8, 0.75, 0.1, "mine")]
    assert "paper" not in tables.f1(other)
    both = [*other, done(SOFTMAX, 60.0, 0.7, 0.1)]
    assert re.search(r"paper: DataAug +\| +– \| +69.60", tables.f1(both))


def test_verdicts_say_so_where_something_does_not_help() -> None:
    found = [
        done(SOFTMAX, 64.8, 0.75, 0.1),
        done(EVIDENTIAL, 63.5, 0.74, 0.1),
        done(MINER, 64.7, 0.7, 0.25),
    ]
    said = list(verdicts(found))
    detector = said.pop(1)
    assert detector.startswith("conll03 oov, E-NER: evidential uncertainty finds errors with an ")
    assert detector.endswith(
        "AUROC of 0.740, SpanNER's least confidence with 0.750: not the better error detector."
    )
    assert said == [
        "conll03 oov, E-NER: 63.50 F1, -1.30 on SpanNER: is more than 1 below.",
        "conll03 oov, MINER: 64.70 F1, -0.10 on SpanNER: does not help.",
        "conll03 oov, SpanNER: temperature takes ECE from 0.200 to 0.100: helps.",
        "conll03 oov, MINER: temperature takes ECE from 0.200 to 0.250: does not help.",
    ]
    alone = list(verdicts([done(EVIDENTIAL, 63.5, 0.74, 0.1)]))
    assert alone == []


def test_figures_say_which_way_is_better() -> None:
    found = list(figures.of_test(done(SOFTMAX, 64.8, 0.75, 0.1)))
    assert Figure("conll03.oov.softmax.f1", 64.8, "%", Better.HIGHER) in found
    assert Figure("conll03.oov.softmax.entropy.ece", 0.1, "0…1", Better.LOWER) in found
    (_, growth) = figures.of_growth({10: 1.0, 20: 2.0, 80: 12.0})
    assert growth == Figure("tagging.growth", 1.5, "×", Better.LOWER)


def test_peak_memory_is_that_of_a_process_of_its_own(
    data: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    corpus = accuracy.load_corpus(corpora.splits(data / "tiny"))
    folder = tmp_path / "version"
    accuracy.train(
        corpus, "tiny", SOFTMAX, folder, encoder=str(encoder_folder), seed=1, report=lambda *_: None
    )
    ballast = bytearray(2**30)
    ballast[:: 2**12] = b"x" * 2**18
    held = memory.peak(folder, data / "tiny/test.conll")
    assert 50 < held < 1000
    assert len(ballast) == 2**30

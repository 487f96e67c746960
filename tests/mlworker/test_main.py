from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlworker.__main__ import main
from mlworker.schema import Head, Text
from mlworker.segmentation import sentences
from tests.mlworker.conftest import sample


def spanner_json(texts: list[Text], file: Path) -> Path:
    """`texts` as SpanNER's JSON."""
    records = []
    for text in texts:
        (cut,) = sentences(text)
        words = {offset: i for i, span in enumerate(cut.offsets) for offset in span}
        spans = {f"{words[m.start]};{words[m.end]}": m.label for m in text.mentions}
        records.append({"context": " ".join(cut.words), "span_posLabel": spans})
    file.write_text(json.dumps(records), encoding="utf-8")
    return file


@pytest.fixture
def gold(corpus: list[Text], tmp_path: Path) -> Path:
    return spanner_json(corpus, tmp_path / "gold.json")


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> dict[Head, Path]:
    """A version with each head, trained by the command; what it printed lies beside it."""
    folder = tmp_path_factory.mktemp("versions")
    gold = str(spanner_json(sample(20), folder / "gold.json"))
    for head in Head:
        train = ["train", "--train", gold, "--dev", gold, "--out", str(folder / head)]
        assert main([*train, "--head", head, "--encoder", str(encoder_folder)]) == 0
    return {head: folder / head for head in Head}


def evaluate(capsys: pytest.CaptureFixture[str], version: Path, *more: str) -> list[dict[str, Any]]:
    assert main(["evaluate", "--model", str(version), "--json", "--data", *more]) == 0
    figures: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return figures


@pytest.mark.parametrize("head", Head)
def test_evaluate_gives_an_object_per_file_with_every_method_of_the_head(
    head: Head,
    versions: dict[Head, Path],
    gold: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = tmp_path / "gold.conll"
    columns.write_text("Ada\tB-person\nlives\tO\n\nit\tO\nrains\tO\n")
    first, second = evaluate(capsys, versions[head], str(gold), str(columns))
    assert set(first) == {
        "file",
        "precision",
        "recall",
        "f1",
        "sentences",
        "sentences_per_second",
        "methods",
    }
    assert (first["file"], first["sentences"]) == (str(gold), 20)
    assert (second["file"], second["sentences"]) == (str(columns), 2)
    assert first["sentences_per_second"] > 0
    assert set(first["methods"]) == {method.value for method in head.methods}
    for quality in first["methods"].values():
        assert set(quality) == {"tau", "auroc", "ece", "share_routed"}


def test_training_prints_what_it_found_and_evaluate_finds_the_same(
    gold: Path, encoder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "v1"
    train = ["train", "--train", str(gold), "--dev", str(gold), "--encoder", str(encoder_folder)]
    assert main([*train, "--out", str(folder), "--seed", "3"]) == 0
    trained = json.loads(capsys.readouterr().out)
    (figures,) = evaluate(capsys, folder, str(gold))
    assert {k: figures[k] for k in ("precision", "recall", "f1")} == trained["dev"]
    assert trained["warm"] is False
    for method, quality in figures["methods"].items():
        assert quality["tau"] == trained["calibrations"][method]["tau"]

    assert main([*train, "--out", str(tmp_path / "v2"), "--start", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["warm"] is True


def test_going_on_takes_the_head_of_the_start_and_says_where_it_cannot(
    versions: dict[Head, Path],
    gold: Path,
    encoder_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = versions[Head.EVIDENTIAL]
    train = ["train", "--train", str(gold), "--encoder", str(encoder_folder), "--start", str(start)]
    assert main([*train, "--out", str(tmp_path / "v2")]) == 0
    assert "evidential" in json.loads(capsys.readouterr().out)["calibrations"]
    assert main([*train, "--out", str(tmp_path / "v3"), "--head", "softmax"]) == 0
    assert f"warning: not gone on from {start}" in capsys.readouterr().err
    assert main([*train[:-1], "nowhere", "--out", str(tmp_path / "v4")]) == 1
    assert "there is no model version nowhere" in capsys.readouterr().err


def test_a_label_that_is_but_a_typo_is_pointed_out(
    versions: dict[Head, Path],
    gold: Path,
    encoder_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typo = tmp_path / "typo.conll"
    typo.write_text("Ada B-persn\n")
    evaluate(capsys, versions[Head.SOFTMAX], str(typo))
    assert main(["evaluate", "--model", str(versions[Head.SOFTMAX]), "--data", str(typo)]) == 0
    assert "does not know the label 'persn'" in capsys.readouterr().err
    train = ["train", "--train", str(gold), "--dev", str(typo), "--encoder", str(encoder_folder)]
    assert main([*train, "--out", str(tmp_path / "v2")]) == 0
    assert "is a 'persn', only in" in capsys.readouterr().err


def test_a_budget_of_questions_sets_the_threshold(
    versions: dict[Head, Path], gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = {}
    for budget in (0, 20, 10_000):
        (figures,) = evaluate(
            capsys, versions[Head.SOFTMAX], str(gold), "--questions-per-100", str(budget)
        )
        shares[budget] = figures["methods"]["entropy"]["share_routed"]
    assert shares[0] == 0
    assert shares[0] <= shares[20] <= shares[10_000] == 1


def test_without_json_a_line_says_each_method(
    versions: dict[Head, Path], gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(versions[Head.SOFTMAX]), "--data", str(gold)]) == 0
    said = capsys.readouterr().out
    assert said.count("auroc") == len(Head.SOFTMAX.methods)
    assert "sentences_per_second" in said


def test_predict_answers_in_the_offsets_of_the_file(
    versions: dict[Head, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw.txt"
    raw.write_bytes("\ufeff👍🏽 Ada lives\r\nin Paris".encode())
    predict = ["predict", "--model", str(versions[Head.SOFTMAX]), "--data", str(raw)]
    assert main([*predict, "--language", "en"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    shown = json.loads(line)
    assert (shown["method"], "text" in shown) == ("least_confidence", False)
    spans = shown["spans"]
    assert spans
    for span in spans:
        assert "nearest" not in span
        unsure = span["uncertainty"] > shown["tau"]
        assert span["routed"] == (unsure or span["lane"] == "candidate")
        assert "👍🏽 Ada lives\r\nin Paris"[span["start"] : span["end"]] == span["text"]


def test_predict_shows_the_text_that_offsets_in_a_corpus_count_in(
    versions: dict[Head, Path], gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "--model", str(versions[Head.EVIDENTIAL]), "--data", str(gold)]) == 0
    for line in capsys.readouterr().out.splitlines():
        shown = json.loads(line)
        assert shown["method"] == "evidential"
        for span in shown["spans"]:
            assert shown["text"][span["start"] : span["end"]] == span["text"]


def test_text_that_is_not_utf_8_is_named(
    versions: dict[Head, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "latin1.txt"
    raw.write_bytes("Zürich".encode("latin-1"))
    assert main(["predict", "--model", str(versions[Head.SOFTMAX]), "--data", str(raw)]) == 1
    assert "latin1.txt: not UTF-8" in capsys.readouterr().err


def test_plots_of_nothing_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert main(["plot", "--outcomes", str(empty), "--out", str(tmp_path / "plots")]) == 1
    assert "there is no outcome in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (
            ["predict", "--model", "m", "--data", "d", "--method", "dropout"],
            "is none of least_conf",
        ),
        (
            ["evaluate", "--model", "m", "--data", "d", "--questions-per-100", "-5"],
            "no amount of 0",
        ),
        (["bench", "--data", "d", "--largest", "7"], "no number of 8 or more"),
        (["bench", "--data", "d", "--heads", "soft"], "'soft' is none of softmax, evidential"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(
    option: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(option)
    assert says in capsys.readouterr().err


def test_a_method_that_the_head_does_not_offer_is_refused(
    versions: dict[Head, Path], gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict = ["predict", "--model", str(versions[Head.SOFTMAX]), "--data", str(gold)]
    assert main([*predict, "--method", "evidential"]) == 1
    assert "evidential" in capsys.readouterr().err


def test_plots_are_drawn_from_outcomes_and_need_an_llm_only_for_figure_7(tmp_path: Path) -> None:
    outcomes = tmp_path / "outcomes.jsonl"
    row = '{"uncertainty": 0.2, "local_correct": true, "llm_correct": %s}\n'
    for answer, numbers in (("null", {4, 5, 6}), ("false", {4, 5, 6, 7})):
        outcomes.write_text(row % answer * 3 + "\n")
        out = tmp_path / answer
        assert main(["plot", "--outcomes", str(outcomes), "--out", str(out)]) == 0
        assert {file.name for file in out.iterdir()} == {f"figure{n}.svg" for n in numbers}


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        '{"uncertainty": "high", "local_correct": true}',
        '{"uncertainty": 1.2, "local_correct": true}',
        '{"uncertainty": NaN, "local_correct": true}',
    ],
)
def test_a_broken_outcome_is_named(
    broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = tmp_path / "outcomes.jsonl"
    outcomes.write_text(f"\n{broken}\n")
    assert main(["plot", "--outcomes", str(outcomes), "--out", str(tmp_path / "plots")]) == 1
    assert "outcomes.jsonl:2: " in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--model", "nowhere", "--data", "nothing"],
        ["train", "--train", "nothing", "--out", "nowhere"],
        ["plot", "--outcomes", "nothing", "--out", "nowhere"],
        ["bench", "--data", "nothing"],
    ],
)
def test_what_is_not_there_is_one_clear_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", [["--head", "crf"], ["--robust", "magic"]])
def test_unknown_heads_and_objectives_are_refused(option: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--train", "x", "--out", "y", *option])


@pytest.mark.parametrize("budget", ["-1", "nan", "many"])
def test_a_budget_that_is_no_amount_is_refused(budget: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "--model", "x", "--data", "y", f"--questions-per-100={budget}"])

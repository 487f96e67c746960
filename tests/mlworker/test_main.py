from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlworker.__main__ import main
from mlworker.schema import Text
from mlworker.segmentation import sentences


@pytest.fixture
def gold(corpus: list[Text], tmp_path: Path) -> Path:
    """The corpus as a CoNLL file."""
    lines = []
    for text in corpus:
        starts = {m.start: m for m in text.mentions}
        (cut,) = sentences(text)
        for (start, _), word in zip(cut.offsets, cut.words, strict=True):
            inside = next((m for m in text.mentions if m.start < start < m.end), None)
            tag = f"B-{starts[start].label}" if start in starts else "O"
            lines.append(f"{word}\t{f'I-{inside.label}' if inside else tag}")
        lines.append("")
    file = tmp_path / "gold.conll"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_train_evaluate_predict(
    gold: Path, encoder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "v1")
    train = ["train", "--train", str(gold), "--dev", str(gold), "--out", folder]
    assert main([*train, "--encoder", str(encoder_folder), "--seed", "3"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert set(trained["calibrations"]) == {"least_confidence", "entropy"}

    assert main(["evaluate", "--model", folder, "--data", str(gold), str(gold), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["file"] == second["file"] == str(gold)
    assert {k: first[k] for k in ("precision", "recall", "f1")} == trained["dev"]
    assert first["sentences"] == 20
    assert first["sentences_per_second"] > 0
    for method, quality in first["methods"].items():
        assert quality["tau"] == trained["calibrations"][method]["tau"]
        assert set(quality) == {"tau", "auroc", "ece", "share_routed"}

    raw = tmp_path / "raw.txt"
    raw.write_bytes("👍🏽 Ada lives\r\nin Paris".encode())
    assert main(["predict", "--model", folder, "--data", str(raw)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    for span in json.loads(line)["spans"]:
        assert "👍🏽 Ada lives\r\nin Paris"[span["start"] : span["end"]] == span["text"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--model", "nowhere", "--data", "nothing"],
        ["train", "--train", "nothing", "--out", "nowhere"],
    ],
)
def test_what_is_not_there_is_one_clear_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1

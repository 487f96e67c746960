"""The bench of the review page: what it computes, and a small round of all that it does."""

from __future__ import annotations

import json
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from mlworker.bench import rows
from mlworker.schema import Mention, Text
from webapp.bench import corpus, measures
from webapp.bench.__main__ import main, measured
from webapp.bench.measures import MEASURES, in_milliseconds, percentile
from webapp.bench.replay import Worked
from webapp.bench.site import Effort

COLUMNS = "Ada\tB-person\nmet\tO\nBo\tB-person\n\nIn\tO\nOslo\tB-location\nit\tO\nsnowed\tO\n\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "test.conll").write_text(COLUMNS)
    return tmp_path


# --- Figures --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [([4, 1, 3, 2], 50, 2), ([4, 1, 3, 2], 95, 4), ([7], 50, 7), (range(1, 101), 95, 95)],
)
def test_a_percentile_is_one_of_the_values(
    values: list[float], percent: float, found: float
) -> None:
    assert percentile(list(values), percent) == found


def test_seconds_are_told_in_milliseconds() -> None:
    assert in_milliseconds("open", [0.001, 0.003, 0.002]) == {"open.p50": 2, "open.p95": 3}


def test_documents_handed_out_again_are_duplicates() -> None:
    assert Worked(documents=[1, 2, 1, 3, 1]).duplicates == 2
    assert Worked(documents=[1, 2, 3]).duplicates == 0


def test_the_table_has_what_was_measured_beside_the_aim_and_the_other_tools() -> None:
    found = {"pairs": 123.4, "cold.bytes": 61.25}
    header, _, *lines = measures.table(found).splitlines()
    assert [cell.strip() for cell in header.split("|")[2:4]] == ["Spanlight", "aim"]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells == [
        ["cold page, on the wire (KB)", "61.2", "≤ 100", "7,990", "790", "1,520"],
        ["open+submit, 8 annotators (pairs/s)", "123", "≥ 100", "3.5", "26", "17"],
    ]


def test_what_falls_short_is_named_in_either_direction() -> None:
    assert measures.missed({"pairs": 100, "cold.bytes": 100, "duplicates": 0, "cpu": 999}) == []
    assert measures.missed({"pairs": 99.9, "duplicates": 1}) == [
        "open+submit, 8 annotators",
        "the same document twice, of 200",
    ]


def test_ids_differ() -> None:
    assert len({measure.id for measure in MEASURES}) == len(MEASURES)


def test_figures_take_the_place_of_earlier_ones_alone(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    other = {"id": "training.seconds", "value": 1.0, "unit": "s", "better": "lower"}
    file.write_text(json.dumps([{**other, "id": "workbench.pairs"}, other]))
    rows.append(measures.figures({"pairs": 120.0}), file, measures.PREFIX)
    ours = {"id": "workbench.pairs", "value": 120.0, "unit": "pairs/s", "better": "higher"}
    assert json.loads(file.read_text()) == [other, ours]


def test_a_file_that_holds_no_figures_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text('{"not": "rows"}')
    with pytest.raises(ValueError, match="not a list of figures"):
        rows.append([], file, measures.PREFIX)
    assert file.read_text() == '{"not": "rows"}'


# --- Texts ----------------------------------------------------------------------------------------
def test_a_corpus_is_found_in_its_folder_or_the_one_above(data: Path) -> None:
    texts = corpus.read(data)
    assert [text.text for text in texts] == ["Ada met Bo", "In Oslo it snowed"]
    assert corpus.read(data / "tiny") == texts


def test_no_corpus_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    assert main(["--data", str(tmp_path), "--out", str(out)]) == 1
    assert "no corpus" in capsys.readouterr().err
    assert not out.exists()


def test_texts_come_again_and_again_with_two_mentions_each_gold_first(data: Path) -> None:
    first, second, third = corpus.many(corpus.read(data), 3, random.Random(1))
    assert first.mentions == third.mentions == [Mention(0, 3, "person"), Mention(8, 10, "person")]
    gold, added = second.mentions
    assert gold == Mention(3, 7, "location")
    assert second.text[added.start : added.end] in {"In", "it", "snowed"}


def test_a_long_document_has_as_many_words_bytes_and_mentions_as_asked_for(data: Path) -> None:
    texts = corpus.read(data)
    many = corpus.long(texts, 20, words=100)
    assert 100 <= len(many.text.split()) < 110
    assert len({(m.start, m.end) for m in many.mentions}) == 20
    assert 500 <= len(corpus.long(texts, 3, size=500).text.encode()) < 520


def test_the_five_step_job_begins_with_seven_mentions() -> None:
    text = corpus.job()
    surfaces = [text.text[m.start : m.end] for m in text.mentions]
    assert surfaces == [words for words, _ in corpus.JOB_MENTIONS]
    assert len(surfaces) == 7


def test_texts_without_mentions_stay_as_they_are() -> None:
    (same,) = corpus.many([Text(0, "…")], 1, random.Random(1))
    assert same == Text(0, "…")


# --- All of it ------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.browser
def test_a_small_round_measures_all(data: Path) -> None:
    effort = Effort(warm_up=1, alone=1, each=1, rounds=1, synced=2, loads=1, presses=1)
    # In a process of its own: here pytest's own browser may be open already.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        found = process.submit(measured, data, 80, effort=effort).result()
    assert {measure.id for measure in MEASURES} - found.keys() <= {"fsyncs"}
    assert found["duplicates"] == 0
    assert found["job.gestures"] <= 6
    assert all(value > 0 for name, value in found.items() if name != "duplicates")

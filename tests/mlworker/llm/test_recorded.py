from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlworker.llm import ask, recorded
from mlworker.llm.recorded import key_of
from mlworker.schema import NO_ENTITY, Answer, AskRequest, Outcome

MakeRequest = Callable[..., AskRequest]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the recording `demo`."""
    monkeypatch.setattr(recorded, "RECORDINGS", tmp_path)

    def write(*rows: Any) -> None:
        (tmp_path / "demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return write


def row(key: str, label: str, confidence: int = 3) -> dict[str, Any]:
    return {"key": key, "label": label, "confidence": confidence}


def test_it_answers_what_was_recorded(
    record: Callable[..., None], make_request: MakeRequest
) -> None:
    text = "I met Ada in York with Mr Lee"
    record(
        row(key_of(text, 6, 9), "person"),
        row(key_of(text, 13, 17), "location", 2),
        row(key_of(text, 2, 5), "O", 1),
        row(key_of(text, 26, 29), "animal"),
        {"key": "0" * 40, "mentions": [[0, 3, "person", 3]]},
    )
    request = replace(
        make_request(
            "I met [Ada] in York with Mr Lee",
            "I met Ada in [York] with Mr Lee",
            "I [met] Ada in York with Mr Lee",
            "I met Ada in York with Mr [Lee]",
            "I met Ada in York with [Mr Lee]",
        ),
        provider="recorded",
        model="demo",
    )
    result = ask(request)
    assert (result.chunk, result.attempt, result.outcome) == (7, 2, Outcome.ANSWERED)
    assert result.answers == [
        Answer(101, "person", 0.97),
        Answer(102, "location", 0.8),
        Answer(103, NO_ENTITY, 0.55),
        Answer(
            104,
            None,
            reason="the recorded answer is 'animal', which is not a label of this project",
        ),
        Answer(105, None, reason="no recorded answer"),
    ]


def test_a_key_ignores_white_space_and_holds_no_text() -> None:
    key = key_of("I met Ada .", 6, 9)
    assert key == key_of(" I met\u00a0Ada. ", 7, 10)
    digest, start, end = key.split(":")
    assert (len(digest), start, end) == (40, "4", "7")
    assert key != key_of("I met Bob .", 6, 9)


def test_a_key_is_of_the_context_as_it_is_sent() -> None:
    assert key_of("⟦x⟧ Ada", 4, 7) == key_of("[x] Ada", 4, 7)


@pytest.mark.parametrize("name", ["other", "../demo", "/etc/passwd", "", "demo.jsonl", "Demo"])
def test_an_unknown_recording_is_refused(
    record: Callable[..., None], make_request: MakeRequest, name: str
) -> None:
    record()
    result = ask(replace(make_request("[Ada]"), provider="recorded", model=name))
    assert result.outcome is Outcome.REFUSED
    assert "no recorded answers" in result.reason


@pytest.mark.parametrize(
    "bad", [{"key": "x"}, {"key": "x", "label": None}, row("x", "person", 4), [], "x"]
)
def test_a_bad_row_is_named(record: Callable[..., None], tmp_path: Path, bad: Any) -> None:
    record(row("y", "person"), bad)
    with pytest.raises(ValueError, match=r"demo\.jsonl:2: "):
        recorded.load(tmp_path / "demo.jsonl")

"""Against recorded answers of a real LLM, where the replay server lies beside the repository."""

from __future__ import annotations

import importlib.util
import json
import threading
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from mlworker.llm import ask, features
from mlworker.llm.prompt import built_in
from mlworker.llm.recorded import PROBABILITY, key_of
from mlworker.schema import Answer, AskRequest, Label, Outcome, Question

SHARED = Path(__file__).parents[4] / "shared"
CASSETTE = SHARED / "llm" / "wnut17_dev.jsonl"
SENTENCES = SHARED / "data" / "wnut17" / "dev.conll"
NAMES = ["person", "location", "corporation", "product", "creative-work", "group"]

pytestmark = pytest.mark.skipif(
    not (CASSETTE.is_file() and SENTENCES.is_file()), reason=f"no recorded answers at {CASSETTE}"
)


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """The replay server, set as the one to ask; gives its counters."""
    spec = importlib.util.spec_from_file_location(
        "replay_server", CASSETTE.with_name("replay_server.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), module.Handler)
    off = dict.fromkeys(("latency_ms", "rate_limit", "server_error", "hang", "malformed"), 0)
    server.args = Namespace(**off, jitter=False, on_miss="error", require_key=None)
    server.stats, server.cassette = module.Stats(), module.Cassette([CASSETTE])
    features._forgone.clear()
    monkeypatch.setenv("LLM_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("LLM_MODEL", "replay")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.stats.values
    server.shutdown()
    server.server_close()
    thread.join()


def recorded_rows() -> dict[str, tuple[str, int]]:
    rows = map(json.loads, CASSETTE.read_text(encoding="utf-8").splitlines())
    return {row["key"]: (row["label"], row["confidence"]) for row in rows if "label" in row}


def recorded_questions(rows: dict[str, tuple[str, int]]) -> Iterator[tuple[Question, str]]:
    """Questions about spans of up to six words that the cassette answers, with their keys."""
    for block in SENTENCES.read_text(encoding="utf-8").split("\n\n"):
        words = [line.split()[0] for line in block.splitlines() if line.strip()]
        text = " ".join(words)
        starts = [len(" ".join(words[:i])) + bool(i) for i in range(len(words))]
        for first in range(len(words)):
            for last in range(first, min(first + 6, len(words))):
                start, end = starts[first], starts[last] + len(words[last])
                key = key_of(text, start, end)
                if key in rows:
                    yield Question(len(text) * 1000 + start, text, start, end), key


def request_for(questions: list[Question]) -> AskRequest:
    labels = [Label(name) for name in NAMES]
    return AskRequest(1, 1, "openai", "", built_in(), labels, questions)


def test_answers_are_those_of_the_cassette(replay: dict[str, int]) -> None:
    rows = recorded_rows()
    found = list(islice(recorded_questions(rows), 200))
    assert len(found) == 200
    for first in range(0, 200, 16):
        batch = found[first : first + 16]
        result = ask(request_for([question for question, _ in batch]))
        assert result.outcome is Outcome.ANSWERED
        assert result.prompt_tokens > 0
        assert [(answer.id, answer.label, answer.probability) for answer in result.answers] == [
            (question.id, rows[key][0], pytest.approx(PROBABILITY[rows[key][1]]))
            for question, key in batch
        ]
    assert (replay["requests"], replay["items"], replay["misses"]) == (13, 200, 0)


def test_the_papers_prompt_gets_the_same_answers(replay: dict[str, int]) -> None:
    rows = recorded_rows()
    # Of a word that stands in its sentence twice, the paper's question does not say which is meant.
    clear = ((q, k) for q, k in recorded_questions(rows) if stands_once(q))
    for question, key in islice(clear, 30):
        result = ask(replace(request_for([question]), prompt=built_in("paper.v1")))
        expected = pytest.approx(PROBABILITY[rows[key][1]])
        given = [replace(answer, probabilities=None) for answer in result.answers]
        assert given == [Answer(question.id, rows[key][0], expected)]
    assert (replay["items"], replay["misses"]) == (30, 0)


def stands_once(question: Question) -> bool:
    return question.context.count(question.context[question.start : question.end]) == 1


def test_an_unrecorded_question_splits_the_others_off(replay: dict[str, int]) -> None:
    known, _ = next(recorded_questions(recorded_rows()))
    unknown = Question(2, "Nobody ever said this", 0, 6)
    assert ask(request_for([known, unknown])).outcome is Outcome.SPLIT
    (answer,) = ask(request_for([unknown])).answers
    assert (answer.label, "no recorded answer" in answer.reason) == (None, True)
    assert ask(request_for([known])).answers[0].label is not None

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlworker import broker, progress, training, versions
from mlworker.config import TrainConfig
from mlworker.schema import (
    Audited,
    CalibrateRequest,
    CalibrateResult,
    Evidence,
    Failure,
    Lane,
    Method,
    Progress,
    TagRequest,
    TagResult,
    Text,
    TrainRequest,
    TrainResult,
    Work,
)
from mlworker.tasks import gpu
from mlworker.tasks.envelope import MAX_ERROR, envelope


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is reported where nobody listens must not reach a broker that happens to run here."""
    monkeypatch.setattr(progress.current_app, "send_task", lambda *_, **__: None)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder_folder: Path) -> Path:
    monkeypatch.setenv("STORAGE_URL", tmp_path.as_uri())
    monkeypatch.setenv("SPANLIGHT_ENCODER", str(encoder_folder))
    monkeypatch.setattr(
        training, "TrainConfig", lambda: TrainConfig(fewest_passes=60, fewest_steps=20)
    )
    return tmp_path


def write(file: Path, texts: list[Text], split: str) -> None:
    with file.open("a", encoding="utf-8") as lines:
        for text in texts:
            lines.write(json.dumps({**text.to_json(), "split": split}) + "\n")


def answer(result: dict[str, Any]) -> Any:
    assert "ok" in result, result
    return json.loads(json.dumps(result["ok"]))


def test_train_then_tag_as_the_workers_do(store: Path, corpus: list[Text]) -> None:
    write(store / "gold.jsonl", corpus, "train")
    write(store / "gold.jsonl", [replace(text, id=100 + text.id) for text in corpus[:4]], "dev")
    request = TrainRequest(5, 2, "gold.jsonl", "models/v1", ["person", "place"], Method.ENTROPY)
    seen: list[Progress] = []
    with progress.listening(seen.append):
        trained = TrainResult.from_json(answer(gpu.train(request.to_json())))
    assert (trained.chunk, trained.attempt, trained.model) == (5, 2, "models/v1")
    assert (trained.train_texts, trained.dev_texts, trained.skipped_mentions) == (20, 4, 0)
    assert trained.labels == ["person", "place"]
    assert {(p.chunk, p.attempt) for p in seen} == {(5, 2)}
    assert seen[-1].done == seen[-1].total
    memory = versions.recall(store / "models/v1")
    assert memory is not None
    remembered = set(memory.references[:, 0].tolist())
    assert remembered <= {text.id for text in corpus}, "held-out gold is remembered"
    texts = [Text(9, "Ada lives in Paris ."), Text(8, "")]
    tag = TagRequest(6, 1, "models/v1", Method.ENTROPY, texts)
    tagged = TagResult.from_json(answer(gpu.tag(tag.to_json())))
    assert (tagged.chunk, tagged.attempt, [t.id for t in tagged.texts]) == (6, 1, [9, 8])


def test_training_goes_on_from_a_version_that_is_whole_and_begins_anew_without_it(
    store: Path, corpus: list[Text]
) -> None:
    write(store / "gold.jsonl", corpus, "train")

    def train(model: str, start: str = "") -> bool:
        request = TrainRequest(
            5, 2, "gold.jsonl", model, ["person", "place"], Method.ENTROPY, start=start
        )
        return TrainResult.from_json(answer(gpu.train(request.to_json()))).warm

    assert not train("models/v1")
    assert train("models/v2", "models/v1")
    assert not train("models/v3", "models/gone")
    (store / "models/v2" / versions.WEIGHTS).write_bytes(b"?")
    assert not train("models/v3", "models/v2")


def test_calibrate_answers_with_a_threshold() -> None:
    span = Evidence(0, 3, Lane.MENTION, "person", 0.8, {"person": 0.6, "O": 0.4}, answer="O")
    request = CalibrateRequest(1, 1, [Audited([span], [])] * 40)
    found = CalibrateResult.from_json(answer(gpu.calibrate(request.to_json())))
    assert found.calibration.tau == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "gold.jsonl:1: "),
        ("[]", "gold.jsonl:1: "),
        ('{"id": 1, "text": "a"}', "gold.jsonl:1: 'split'"),
        ('{"id": 1, "text": "a", "split": "test"}', "must be train or dev"),
        ('{"id": "1", "text": "a", "split": "dev"}', "gold.jsonl:1: "),
    ],
)
def test_a_broken_dataset_is_a_failure_with_its_line(store: Path, line: str, message: str) -> None:
    (store / "gold.jsonl").write_text(line)
    request = TrainRequest(5, 2, "gold.jsonl", "v", ["person"], Method.ENTROPY)
    failed = Failure.from_json(gpu.train(request.to_json())["failure"])
    assert (failed.chunk, failed.attempt) == (5, 2)
    assert message in failed.error


@pytest.mark.parametrize("model", ["../outside", "no/such/model"])
def test_a_model_that_is_not_there_is_a_failure(store: Path, model: str) -> None:
    request = TagRequest(1, 1, model, Method.ENTROPY, [Text(1, "a")])
    assert "failure" in gpu.tag(request.to_json())


@pytest.mark.parametrize(
    "request_", [{}, {"chunk": "x"}, {"chunk": 3, "attempt": 1, "z": 0}, None, []]
)
def test_a_request_that_makes_no_sense_is_a_failure_too(request_: Any) -> None:
    failed = Failure.from_json(gpu.tag(request_)["failure"])
    assert failed.chunk in (0, 3)
    assert failed.error


def test_a_failure_says_what_happened_in_few_words() -> None:
    @envelope(Work)
    def work(request: Work) -> Work:
        raise RuntimeError("x" * 9999)

    failed = Failure.from_json(work({"chunk": 1, "attempt": 2})["failure"])
    assert failed.error.startswith("RuntimeError: xxx")
    assert len(failed.error) == MAX_ERROR


def test_progress_comes_at_intervals_and_at_the_end() -> None:
    seen: list[Progress] = []
    with progress.listening(seen.append):
        report = progress.reporter(Work(1, 1), every=3600)
        for done in range(1, 101):
            report(done, 100, "training")
    assert [p.done for p in seen] == [1, 100]


def test_work_goes_on_when_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(progress.current_app, "send_task", refuse)
    progress.report(Progress(1, 1, 1, 2, "training"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:1/2", "redis://h:1/2"),
        ("redis+socket:///run/r.sock", "redis+socket:///run/r.sock"),
        ("unix:///run/r.sock", "redis+socket:///run/r.sock"),
    ],
)
def test_the_broker_is_a_server_or_a_socket(
    url: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert broker.settings()["broker_url"] == expected


def test_a_worker_loads_django_and_torch_only_when_told_to() -> None:
    """What kombu does by itself (it looks whether Django is installed) does not count."""
    script = (
        "import sys, mlworker.worker\n"
        "heavy = {'torch', 'transformers', 'django.db', 'annotator'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""A server that fails in every way: each span ends with an answer, or with a person and a reason;
nothing answered is asked again, and the ledger counts what the server counted."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum

from annotator import asking, foreground
from annotator import pace as pacing
from annotator.models import Job, LLMCall, Mention, Project, Question
from mlworker.llm import features, pace
from mlworker.llm import openai as provider
from tests import factories
from tests.llm_server import Behaviour, LLMServer, Received, answering, content, error, hang
from tests.ops.processes import free_port, started, wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

REPLAY = Path(__file__).parents[3] / "shared" / "llm" / "replay_server.py"
FAULTS = {
    "--on-miss": "none",
    "--rate-limit": "0.2",
    "--retry-after": "0.2",
    "--server-error": "0.1",
    "--malformed": "0.1",
    "--hang": "0.02",
    "--hang-s": "2",
}
SPANS, CONCURRENCY = 240, 4


@pytest.fixture
def point_at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes a server the operator's; waits are shortened, not left out."""
    settings.LLM_MODEL, settings.LLM_CONCURRENCY, settings.CHUNK_QUESTIONS = "m", CONCURRENCY, 3
    monkeypatch.setattr(provider, "TIMEOUT", 1.0)
    monkeypatch.setattr(asking, "BACKOFF_SECONDS", 1.1)
    monkeypatch.setattr(pacing, "FIRST_PAUSE", 0.5)
    monkeypatch.delenv("LLM_API_KEY", raising=False)

    def point(url: str) -> None:
        settings.LLM_BASE_URL = url
        monkeypatch.setenv("LLM_BASE_URL", url)

    pace.forget()
    features._forgone.clear()
    yield point
    pace.forget()


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.OPENAI)
    factories.make_version(project, tau=0.4)
    for n in range(SPANS // 2):
        document = factories.make_document(project, f"Ada met Bo in {n}.", status="tagged")
        for surface in ("Ada", "Bo"):
            factories.make_prediction(document, surface, "person", uncertainty=0.7)
    return project


def link(project: Project) -> Job:
    return foreground.run_here(project, Job.Kind.LINK, lambda _: None)


def counted(*states: str) -> int:
    return LLMCall.objects.filter(state__in=states).count()


def tokens() -> tuple[int, int]:
    """Of prompts and of answers, as the ledger has them."""
    found = LLMCall.objects.aggregate(prompt=Sum("prompt_tokens"), answer=Sum("completion_tokens"))
    return found["prompt"], found["answer"]


def assert_every_span_ended() -> None:
    assert Question.objects.count() == SPANS
    for question in Question.objects.exclude(state="answered"):
        assert question.reason
        mention = Mention.objects.get(document=question.document, start=question.start)
        assert mention.needs_person
        assert question.reason in mention.reason
    assert Question.objects.filter(state="answered").count() > SPANS / 2


@pytest.mark.skipif(not REPLAY.is_file(), reason=f"no replay server at {REPLAY}")
def test_against_the_replay_server(
    project: Project, point_at: Callable[[str], None], tmp_path: Path
) -> None:
    port = free_port()
    flags = [part for flag in FAULTS.items() for part in flag]
    command = [sys.executable, str(REPLAY), "--port", str(port), *flags]
    stats = f"http://127.0.0.1:{port}/stats"
    with started(command, {}, tmp_path / "replay.log"):
        wait_until(lambda: "replaying" in (tmp_path / "replay.log").read_text(), "the server", 30)
        point_at(f"http://127.0.0.1:{port}/v1")
        job = link(project)
        with urllib.request.urlopen(stats, timeout=10) as reply:
            seen = json.load(reply)
    assert job.state == "done"
    assert_every_span_ended()
    assert counted("answered", "failed") == seen["requests"]
    assert counted("unknown", "sent") == 0
    assert tokens() == (seen["prompt_tokens"], seen["completion_tokens"])
    assert {"status_429", "status_503", "malformed"} <= seen.keys()


def faulty(seed: int, answered: list[tuple[str, str]]) -> Behaviour:
    """429, 503, nonsense and silence now and then; what it does answer goes into `answered`."""
    dice, lock, right = random.Random(seed), threading.Lock(), answering(lambda _: "person")

    def behave(request: Received) -> Any:
        with lock:
            roll = dice.random()
        if roll < 0.2:
            return error(429, "slow down", headers={"Retry-After": "0.3"})(request)
        if roll < 0.3:
            return error(503, "try later")(request)
        if roll < 0.4:
            return content("I think it is a person.")(request)
        if roll < 0.42:
            return hang()(request)
        answered.extend((item["context"], item["span"]) for item in request.items)
        return right(request)

    return behave


def test_nothing_answered_is_asked_again_and_nobody_asks_before_the_time(
    project: Project, point_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[tuple[str, str]] = []
    held: list[tuple[float, float]] = []
    hold = pace.hold

    def noting(name: str, seconds: float, reason: str) -> None:
        hold(name, seconds, reason)
        held.append((time.monotonic(), seconds))

    monkeypatch.setattr(pace, "hold", noting)
    with LLMServer() as server:
        server.always(faulty(7, answered))
        point_at(server.base_url)
        job = link(project)
        requests = list(server.requests)
    assert job.state == "done"
    assert_every_span_ended()
    assert counted("answered", "failed") == len(requests)
    assert counted("unknown", "sent") == 0
    assert len(answered) == len(set(answered)) == Question.objects.filter(state="answered").count()
    assert len(held) > 5
    for since, seconds in held:
        # What passed the check before, one request a thread, may still arrive.
        early = [r for r in requests if since < r.at < since + 0.9 * seconds]
        assert len(early) < CONCURRENCY

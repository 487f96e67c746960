from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlworker import llm
from mlworker.schema import AskRequest, AskResult, Outcome
from mlworker.tasks.llm import ask
from tests.llm_server import LLMServer

MakeRequest = Callable[..., AskRequest]


def test_the_task_takes_and_gives_json(llm_server: LLMServer, make_request: MakeRequest) -> None:
    answer = ask(make_request("I met [Ada] .").to_json())
    result = AskResult.from_json(answer["ok"])
    assert (result.chunk, result.attempt, result.outcome) == (7, 2, Outcome.ANSWERED)
    assert [(a.id, a.label) for a in result.answers] == [(101, "person")]


def test_the_task_has_its_name() -> None:
    assert ask.name == "mlworker.ask"


def test_a_request_that_makes_no_sense_is_a_failure() -> None:
    failure = ask({"chunk": 7, "attempt": 2})["failure"]
    assert (failure["chunk"], failure["attempt"]) == (7, 2)


def test_an_unknown_provider_is_refused(make_request: MakeRequest) -> None:
    result = llm.ask(replace(make_request("[Ada]"), provider="oracle"))
    assert (result.outcome, result.reason) == (
        Outcome.REFUSED,
        "there is no LLM provider 'oracle'",
    )


def test_the_llm_worker_never_loads_torch() -> None:
    """Every provider whose questions it takes is asked, so that what is imported on first use is
    imported too."""
    code = """
import sys
from mlworker import llm, worker
from mlworker.schema import AskRequest, Label, Question
import mlworker.tasks.llm
for provider in llm.PROVIDERS.keys() - {'transformers'}:
    question = Question(1, "x", 0, 1)
    print(llm.ask(AskRequest(1, 1, provider, "m", "choice.v2", [], [question])).outcome)
print(*{"torch", "transformers", "numpy"} & {name.split(".")[0] for name in sys.modules})
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LLM_", "DJANGO_"))}
    environment["REDIS_URL"] = "redis://127.0.0.1:6379/0"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n") == ["refused", "refused", "", ""]


@pytest.mark.parametrize(("given", "threads"), [("16", "16"), ("", "4")])
def test_the_workers_threads_follow_the_setting(given: str, threads: str) -> None:
    code = "from mlworker import worker; print(worker.app.conf.worker_concurrency)"
    environment = os.environ | {"REDIS_URL": "redis://127.0.0.1/0", "LLM_CONCURRENCY": given}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == threads

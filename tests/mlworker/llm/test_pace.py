"""A server that says when to come back is not asked before that, by anybody in the process."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlworker.llm import ask, pace
from mlworker.schema import AskRequest, Outcome
from tests.llm_server import LLMServer, error, hang

MakeRequest = Callable[..., AskRequest]


def test_other_requests_wait_without_being_sent(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.then(error(429, "slow down", headers={"Retry-After": "7"}))
    assert ask(make_request("[Ada]")).sent
    result = ask(make_request("[Bo]"))
    assert (result.outcome, result.sent, result.billed) == (Outcome.WAIT, False, False)
    assert result.reason == "the LLM server is too busy (HTTP 429)"
    assert result.retry_after == pytest.approx(7, abs=2)
    assert len(llm_server.requests) == 1


def test_it_is_asked_again_when_the_time_is_over(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.then(error(503, headers={"Retry-After": "0.1"}))
    ask(make_request("[Ada]"))
    while (result := ask(make_request("[Ada]"))).outcome is Outcome.WAIT:
        time.sleep(result.retry_after or 0)
    assert result.outcome is Outcome.ANSWERED
    first, second = llm_server.requests
    assert second.at - first.at >= 0.1


def test_the_longest_wait_holds(make_request: MakeRequest) -> None:
    pace.forget()
    pace.hold("openai", 60, "a minute")
    pace.hold("openai", 1, "a second")
    seconds, reason = pace.held("openai")
    assert (seconds, reason) == (pytest.approx(60, abs=5), "a minute")
    assert pace.held("another") == (0.0, "")
    pace.forget()


def test_threads_that_ask_at_once_all_wait(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.then(error(429, headers={"Retry-After": "60"}))
    ask(make_request("[Ada]"))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: ask(make_request("[Ada]")), range(40)))
    assert {result.outcome for result in results} == {Outcome.WAIT}
    assert len(llm_server.requests) == 1


@pytest.mark.parametrize(("status", "failed"), [(500, True), (503, True), (429, False)])
def test_only_errors_of_the_server_are_its_fault(
    llm_server: LLMServer, make_request: MakeRequest, status: int, failed: bool
) -> None:
    llm_server.then(error(status))
    result = ask(make_request("[Ada]"))
    assert (result.server_failed, result.sent) == (failed, True)


def test_a_question_that_is_refused_is_not_the_servers_fault(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.then(error(400))
    assert not ask(make_request("[Ada]", "[Bo]")).server_failed


def test_what_hangs_was_sent_and_what_found_no_server_was_not(
    llm_server: LLMServer, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm_server.then(hang())
    result = ask(make_request("[Ada]"))
    assert (result.server_failed, result.sent, result.billed) == (True, True, True)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("LLM_BASE_URL", f"http://127.0.0.1:{port}/v1")
    result = ask(make_request("[Ada]"))
    assert (result.server_failed, result.sent, result.billed) == (True, False, False)
    monkeypatch.delenv("LLM_BASE_URL")
    result = ask(make_request("[Ada]"))
    assert (result.outcome, result.sent) == (Outcome.REFUSED, False)

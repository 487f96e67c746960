"""Requests that end without an answer: what is tried again, split, or given up, and why."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlworker.llm import ask
from mlworker.llm.failures import retry_after
from mlworker.schema import Answer, AskRequest, Outcome
from tests.llm_server import LLMServer, answering, body, cut_off, error, hang

MakeRequest = Callable[..., AskRequest]

TWO = ("I met [Ada] .", "[Bo] came .")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


# What asks for patience


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again_later(
    llm_server: LLMServer, make_request: MakeRequest, status: int
) -> None:
    llm_server.then(error(status, "slow down", headers={"Retry-After": "7"}))
    result = ask(make_request(*TWO))
    assert (result.outcome, result.retry_after, result.answers) == (Outcome.RETRY, 7.0, [])
    assert result.reason.endswith(f"(HTTP {status}, slow down)")
    assert len(llm_server.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[("", None), ("0", 0), ("1.5", 1.5), ("-3", 0), ("99999", 600), ("nan", None)],
        *[("soon", None), (f"Wed, 21 Oct {10**20} 07:28:00 GMT", None)],
    ],
)
def test_retry_after_in_seconds(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_retry_after_as_a_date() -> None:
    now = datetime.now(UTC)
    assert retry_after(format_datetime(now + timedelta(seconds=60), usegmt=True)) == pytest.approx(
        60, abs=5
    )
    assert retry_after(format_datetime(now - timedelta(days=1), usegmt=True)) == 0
    assert retry_after(format_datetime(now + timedelta(days=1), usegmt=True)) == 600


@given(st.text() | st.from_regex(r"\w{3}, \d{1,9} \w{3} \d{1,5} \d\d:\d\d:\d\d [-+]\d{1,5}"))
def test_no_retry_after_breaks_anything(header: str) -> None:
    seconds = retry_after(header)
    assert seconds is None or 0 <= seconds <= 600


def test_a_server_that_hangs_is_asked_again(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.then(hang())
    result = ask(make_request(*TWO))
    assert (result.outcome, result.retry_after) == (Outcome.RETRY, None)
    assert result.reason == "the LLM server did not answer within 1 s"
    assert 900 <= result.latency_ms < 5000
    assert len(llm_server.requests) == 1


@pytest.mark.usefixtures("trickle")
@pytest.mark.parametrize("trickle", [CHUNKED, b"HTTP/1.1 200 OK\r\nX-Slow: "], indirect=True)
def test_the_time_limit_is_for_the_whole_reply(make_request: MakeRequest) -> None:
    started = time.monotonic()
    result = ask(make_request(*TWO))
    assert result.reason == "the LLM server did not answer within 1 s"
    assert time.monotonic() - started < 5


@pytest.fixture
def trickle(
    llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """A server that goes on from its parameter with a blank every 0.2 s, for 10 s, and never
    answers."""
    stop = threading.Event()
    end = time.monotonic() + 10
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(request.param)
            blank = b"1\r\n \r\n" if request.param == CHUNKED else b" "
            while time.monotonic() < end and not stop.wait(0.2):
                connection.sendall(blank)

    def serve_until_closed() -> None:
        with suppress(OSError):  # the client hangs up, as it should
            serve()

    thread = threading.Thread(target=serve_until_closed)
    thread.start()
    monkeypatch.setenv("LLM_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    yield
    stop.set()
    thread.join()
    listener.close()


def test_a_reply_that_is_cut_off_is_asked_for_again(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.then(cut_off(answering(lambda _: "person")))
    result = ask(make_request(*TWO))
    assert (result.outcome, result.answers) == (Outcome.RETRY, [])
    assert result.reason.startswith("no connection to the LLM server: ")
    assert len(llm_server.requests) == 1


def test_no_server_at_all(
    llm_server: LLMServer, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("LLM_BASE_URL", f"http://127.0.0.1:{port}/v1")
    assert ask(make_request(*TWO)).outcome is Outcome.RETRY


# What one question may be to blame for


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refused_request_is_split(
    llm_server: LLMServer, make_request: MakeRequest, status: int
) -> None:
    llm_server.then(error(status, "no recorded answer for item 2"))
    result = ask(make_request(*TWO))
    assert (result.outcome, result.answers) == (Outcome.SPLIT, [])
    assert result.reason.endswith(f"(HTTP {status}, no recorded answer for item 2)")


@pytest.mark.parametrize(
    ("said", "at_fault"),
    [
        ("no recorded answer for item 2", 102),
        ("Item 1 was filtered", 101),
        ("text 2: too long", 102),
        ("item 0, item 3 and item 99999", None),
        ("item 1 or item 2", None),
        ("2 items", None),
        ("", None),
    ],
)
def test_a_server_may_name_the_question_that_it_refuses(
    llm_server: LLMServer, make_request: MakeRequest, said: str, at_fault: int | None
) -> None:
    llm_server.then(error(400, said))
    assert ask(make_request(*TWO)).at_fault == at_fault


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refused_question_stays_unresolved(
    llm_server: LLMServer, make_request: MakeRequest, status: int
) -> None:
    llm_server.then(error(status, "too long"))
    result = ask(make_request("[Ada]"))
    reason = f"the LLM server refused the question (HTTP {status}, too long)"
    assert (result.outcome, result.answers) == (
        Outcome.ANSWERED,
        [Answer(101, None, reason=reason)],
    )


# What an operator has to put right


@pytest.mark.parametrize(
    ("behaviour", "remedy"),
    [
        (error(401), "check LLM_API_KEY"),
        (error(403), "check LLM_API_KEY"),
        (error(402), "no credit left"),
        (error(429, code="insufficient_quota"), "no credit left"),
        (error(404, code="model_not_found"), "check LLM_MODEL"),
        (error(404, "The model `x` does not exist."), "check LLM_MODEL"),
        (error(404, 'model "x" not found, try pulling it first'), "check LLM_MODEL"),
        (body("<h1>Not Found</h1>", status=404), "check LLM_BASE_URL"),
        (body('{"detail": "Not Found"}', status=404), "check LLM_BASE_URL"),
        (error(405), "check LLM_BASE_URL"),
    ],
)
def test_what_only_an_operator_can_change_is_refused(
    llm_server: LLMServer, make_request: MakeRequest, behaviour: Any, remedy: str
) -> None:
    llm_server.then(behaviour)
    result = ask(make_request(*TWO))
    assert (result.outcome, result.answers) == (Outcome.REFUSED, [])
    assert remedy in result.reason


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("LLM_BASE_URL", "", "set LLM_BASE_URL"),
        ("LLM_BASE_URL", "127.0.0.1:8801/v1", "http(s)://"),
        ("LLM_BASE_URL", "file:///etc/passwd", "http(s)://"),
        ("LLM_BASE_URL", "http://", "http(s)://"),
        ("LLM_BASE_URL", "http://[::1/v1", "http(s)://"),
        ("LLM_BASE_URL", "http://a:99999999/v1", "http(s)://"),
        ("LLM_MODEL", "", "set LLM_MODEL"),
        ("LLM_API_KEY", "a\nb", "LLM_API_KEY"),
        ("LLM_API_KEY", "schlüssel", "LLM_API_KEY"),
    ],
)
def test_a_wrong_environment_is_refused_with_a_remedy(
    llm_server: LLMServer,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setenv(name, value)
    result = ask(make_request(*TWO))
    assert result.outcome is Outcome.REFUSED
    assert reason in result.reason
    assert llm_server.requests == []


# Servers that take less than was asked for


def test_features_that_a_server_refuses_are_left_out_from_then_on(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.refuses = {"response_format", "logprobs", "temperature"}
    for number in (1, 2, 3):
        result = ask(make_request(*TWO))
        assert (result.outcome, result.retry_after) == (Outcome.RETRY, 0.0)
        assert result.reason.startswith("the LLM server does not take ")
        assert len(llm_server.requests) == number
    for _ in range(2):
        assert [a.label for a in ask(make_request(*TWO)).answers] == ["person", "person"]
    fields = [request.body.keys() for request in llm_server.requests]
    assert fields[-1] == {"messages", "model"}
    assert len(fields) == 5


def test_another_model_is_still_asked_for_all(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.then(error(400, "'response_format.type' must be 'text'"))
    assert ask(make_request("[Ada]")).outcome is Outcome.RETRY
    assert ask(make_request("[Ada]", model="other")).outcome is Outcome.ANSWERED
    assert "response_format" in llm_server.requests[-1].body
    ask(make_request("[Ada]"))
    assert "response_format" not in llm_server.requests[-1].body


def test_the_same_complaint_twice_does_not_go_on_for_ever(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    llm_server.always(error(400, "logprobs are bad"))
    outcomes = [ask(make_request(*TWO)).outcome for _ in range(3)]
    assert outcomes == [Outcome.RETRY, Outcome.SPLIT, Outcome.SPLIT]


def test_a_complaint_about_something_else_changes_nothing(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    quoted = "bad message: the temperature and logprobs of response_format"
    llm_server.then(error(400, quoted, param="messages"))
    assert ask(make_request(*TWO)).outcome is Outcome.SPLIT
    ask(make_request(*TWO))
    assert llm_server.requests[-1].body.keys() >= {"response_format", "logprobs", "temperature"}


def test_words_of_a_document_that_an_error_quotes_change_nothing(
    llm_server: LLMServer, make_request: MakeRequest
) -> None:
    text = "In this grammar the temperature and logprobs of"
    llm_server.then(error(400, f"cannot read: {text} Ada"))
    assert ask(make_request(f"{text} [Ada]", "[Bo]")).outcome is Outcome.SPLIT
    ask(make_request(*TWO))
    assert llm_server.requests[-1].body.keys() >= {"response_format", "logprobs", "temperature"}

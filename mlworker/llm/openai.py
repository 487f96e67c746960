"""The provider `openai`: any server that speaks OpenAI's chat completions.

Which server, and with what key, is the operator's alone to say, in the environment of the worker:
`LLM_BASE_URL` (http or https), `LLM_API_KEY` (may be empty), `LLM_MODEL` (where a request names
no model). Nothing else is ever connected to: redirects are not followed, and neither proxies
nor OpenAI's own environment variables are read.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx2
from openai import APIConnectionError, APIStatusError, APITimeoutError, OpenAI

from mlworker.llm import answers, failures, features
from mlworker.llm.outcomes import refused, retry, unsent
from mlworker.llm.prompt import Messages, build
from mlworker.schema import AskRequest, AskResult

TIMEOUT = 30.0
"""Seconds that a request may take in all."""
MAX_REPLY = 8_000_000
"""Bytes that a reply may have: it is read into memory, beside those of other threads."""
NO_LIMIT = (
    "the LLM server takes no limit to what it answers, so no budget can be kept: the project can "
    "only ask it without one"
)
NEVER_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout)


@dataclass(frozen=True)
class Server:
    base_url: str
    key: str
    model: str


def ask(request: AskRequest) -> AskResult:
    try:
        server = configured(request.model)
        messages = build(request)
        client = connect(server.base_url, server.key, TIMEOUT)
    except (ValueError, httpx2.InvalidURL) as error:
        return unsent(refused(request, str(error)))
    started = time.monotonic()
    result = send(request, messages, server, client)
    return replace(result, latency_ms=round(1000 * (time.monotonic() - started)))


def configured(model: str) -> Server:
    """The operator's server; raises `ValueError` with what to set where something is missing."""
    base_url = os.environ.get("LLM_BASE_URL", "").strip()
    key = os.environ.get("LLM_API_KEY", "").strip()
    model = model or os.environ.get("LLM_MODEL", "").strip()
    if not base_url:
        raise ValueError("no LLM server is configured: set LLM_BASE_URL")
    if not is_web_address(base_url):
        raise ValueError("LLM_BASE_URL is not an address of the form http(s)://host[:port]/path")
    if not (key.isascii() and key.isprintable()):
        raise ValueError("LLM_API_KEY holds characters that no key has")
    if not model:
        raise ValueError("no LLM is named: set LLM_MODEL")
    return Server(base_url, key, model)


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def send(request: AskRequest, messages: Messages, server: Server, client: OpenAI) -> AskResult:
    """Makes the one HTTP request and says how it ended."""
    memory = (server.base_url, server.model)
    optional = features.accepted(memory, features.wanted(messages.options, request.prompt.form))
    limits = features.accepted(memory, features.limits(request.most_tokens))
    if request.most_tokens and not limits:
        return unsent(refused(request, NO_LIMIT))
    optional |= dict(list(limits.items())[:1])
    try:
        reply = client.chat.completions.with_raw_response.create(
            model=server.model,
            messages=[
                {"role": "system", "content": messages.system},
                {"role": "user", "content": messages.user},
            ],
            extra_body=features.fields(optional),
        )
    except APIStatusError as error:
        complaint = failures.complaint(error.response, server.key)
        if feature := features.refused(complaint, optional, messages.system + messages.user):
            features.forgo(memory, feature)
            reason = f"the LLM server does not take {feature}: asked again without it"
            return retry(request, reason, 0.0, complaint.raw)
        return failures.outcome(request, complaint)
    except APITimeoutError as error:
        return _failed(request, error, f"the LLM server did not answer within {TIMEOUT:g} s")
    except APIConnectionError as error:
        reason = f"no connection to the LLM server: {error.__cause__ or error}"
        return _failed(request, error, reason)
    result = answers.read(request, messages, reply.http_response.text)
    # What answers here may be no LLM, but something that repeats what it is sent.
    return replace(result, raw=failures.without(server.key, result.raw))


def _failed(request: AskRequest, error: APIConnectionError, reason: str) -> AskResult:
    """No reply: what reached the server may have to be paid for."""
    found = replace(retry(request, reason), billed=True, server_failed=True, trouble=reason)
    return unsent(found) if isinstance(error.__cause__, NEVER_CONNECTED) else found


@cache
def connect(base_url: str, key: str, timeout: float) -> OpenAI:
    """A client for one server, made once per process (it is safe to share among threads)."""
    client = OpenAI(
        base_url=base_url,
        # A server of one's own may want no key, but the client wants one to send.
        api_key=key or "none",
        admin_api_key="",
        # Stated, so that OPENAI_CUSTOM_HEADERS cannot replace it.
        default_headers={
            "Authorization": f"Bearer {key or 'none'}",
            "Accept-Encoding": "identity",
        },
        max_retries=0,
        timeout=timeout,
        http_client=httpx2.Client(
            transport=Timed(timeout), timeout=timeout, follow_redirects=False, trust_env=False
        ),
    )
    # What OPENAI_ORG_ID and OPENAI_PROJECT_ID may have set is no business of another server's.
    client.organization = client.project = None
    return client


class Timed(httpx2.HTTPTransport):
    """Ends a reply that takes longer than `seconds` in all, or is too large.

    The client's own time-out starts anew with each piece that is read, so a busy server that
    sends a blank now and then to keep the connection open would hold a worker for minutes.
    """

    def __init__(self, seconds: float) -> None:
        # No connection is kept, so that `_until_headers` sees each of them begin.
        super().__init__(trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0))
        self.seconds = seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        end = time.monotonic() + self.seconds
        try:
            response = self._until_headers(request)
        except httpx2.TransportError as error:
            if time.monotonic() < end:
                raise
            raise httpx2.ReadTimeout("the reply took too long") from error
        # JSON is UTF-8 whatever the header names: some of Python's codecs yield no text.
        response.headers["Content-Type"] = "application/json"
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()  # a few bytes may unpack to gigabytes
            raise httpx2.ReadError("the reply is compressed, which was not asked for")
        response.stream = TimedStream(response.stream, end)
        return response

    def _until_headers(self, request: httpx2.Request) -> httpx2.Response:
        """Headers may drip, too: after `seconds` the connection is cut under them."""
        opened: list[Any] = []

        def trace(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                opened.append(info["return_value"].get_extra_info("socket").dup())

        def cut() -> None:
            for connection in opened:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

        request.extensions = {**request.extensions, "trace": trace}
        timer = threading.Timer(self.seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            return super().handle_request(request)
        finally:
            timer.cancel()
            for connection in opened:
                connection.close()


class TimedStream(httpx2.SyncByteStream):
    def __init__(self, stream: Any, end: float) -> None:
        self.stream = stream
        self.end = end

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self.stream:
            size += len(piece)
            if time.monotonic() > self.end:
                raise httpx2.ReadTimeout("the reply took too long")
            if size > MAX_REPLY:
                raise httpx2.ReadError(f"the reply is larger than {MAX_REPLY:,} bytes")
            yield piece

    def close(self) -> None:
        self.stream.close()

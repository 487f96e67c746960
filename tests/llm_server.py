"""A small OpenAI-compatible server for tests, on a free port of 127.0.0.1.

    with LLMServer(choose=lambda item: "person") as server:
        monkeypatch.setenv("LLM_BASE_URL", server.base_url)
        server.then(error(429, headers={"Retry-After": "7"}), hang(), content("no JSON"))
        …
        assert server.requests[0].items[0]["span"] == "Ada"

By default it answers every item with the option that `choose` names: a label's name, or None for
"not an entity". `then(…)` queues replies for the next requests, one each, oldest first; when they
are used up it answers again. `always(…)` replaces the default. `key` is the only API key that is
taken, `refuses` names fields of a request that bring HTTP 400. `requests` holds what came in.

A browser test gives `LLM_BASE_URL`, `LLM_MODEL` and `LLM_API_KEY` to its worker's environment.
"""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

NOT_AN_ENTITY = "not an entity"

Item = dict[str, Any]
Choose = Callable[[Item], str | None]


@dataclass
class Received:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @cached_property
    def question(self) -> dict[str, Any]:
        """The user message, parsed: `options` and `items`."""
        return json.loads(self.body["messages"][-1]["content"])

    @property
    def items(self) -> list[Item]:
        return self.question["items"]

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    def code(self, name: str | None) -> str:
        """The code of the option with this name; None means "not an entity"."""
        options = self.question["options"]
        return next(code for code, option in options.items() if option == (name or NOT_AN_ENTITY))


@dataclass
class Reply:
    """What goes back. `slow` seconds pass before each of its two halves."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    cut_off: bool = False
    hang: bool = False


Behaviour = Callable[[Received], Reply]


def completion(
    content: str | None,
    finish_reason: str = "stop",
    refusal: str | None = None,
    logprobs: list[dict[str, Any]] | None = None,
    usage: Mapping[str, Any] | None = None,
) -> Reply:
    """A chat completion with one choice."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish_reason, "message": message}
    if logprobs is not None:
        choice["logprobs"] = {"content": logprobs}
    body = {
        "id": "test",
        "object": "chat.completion",
        "created": 0,
        "model": "test",
        "choices": [choice],
        "usage": dict(usage or {"prompt_tokens": 100, "completion_tokens": 10}),
    }
    return Reply(body=json.dumps(body).encode())


def answering(choose: Choose, probability: float | None = None) -> Behaviour:
    """Answers every item; with `probability` where log-probabilities were asked for."""

    def behave(request: Received) -> Reply:
        codes = [request.code(choose(item)) for item in request.items]
        answers = [
            {"id": item["id"], "label": code}
            for item, code in zip(request.items, codes, strict=True)
        ]
        text = json.dumps({"answers": answers})
        wants = probability is not None and request.body.get("logprobs")
        options = request.question["options"]
        return completion(
            text, logprobs=tokens(text, codes, options, probability or 1) if wants else None
        )

    return behave


def tokens(
    text: str, codes: Iterable[str], options: Iterable[str], probability: float
) -> list[dict[str, Any]]:
    """`text` in pieces: each code a token of its own, with all options as alternatives."""
    pieces = []
    for code in codes:
        head, _, text = text.partition(f'"label": "{code}"')
        others = [option for option in options if option != code]
        rest = (1 - probability) / max(len(others), 1)
        shares = {code: probability, **dict.fromkeys(others, rest)}
        pieces += [token(head + '"label": "'), token(code, shares), token('"')]
    return [*pieces, token(text)] if text else pieces


def token(text: str, shares: Mapping[str, float] | None = None) -> dict[str, Any]:
    """One entry of `logprobs`; `shares` maps each alternative to its probability."""
    shares = shares or {}
    alternatives = [{"token": t, "logprob": math.log(p)} for t, p in shares.items() if p > 0]
    return {
        "token": text,
        "logprob": math.log(shares.get(text, 1.0)),
        "top_logprobs": alternatives,
    }


def content(text: str | None, **more: Any) -> Behaviour:
    """A chat completion that says `text`; further arguments as of `completion`."""
    return lambda _: completion(text, **more)


def body(text: str, **more: Any) -> Behaviour:
    """HTTP 200 with any body; further arguments as of `Reply`."""
    return lambda _: Reply(body=text.encode(), **more)


def error(
    status: int,
    message: str = "no",
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> Behaviour:
    """An error in OpenAI's form; `fields` may give its `code` and `param`."""
    text = json.dumps({"error": {"message": message, "type": "test", **fields}})
    return lambda _: Reply(status, text.encode(), dict(headers or {}))


def hang() -> Behaviour:
    """No answer until the server stops."""
    return lambda _: Reply(hang=True)


def cut_off(behaviour: Behaviour) -> Behaviour:
    """Half of the other behaviour's reply, then the connection ends."""

    def behave(request: Received) -> Reply:
        reply = behaviour(request)
        reply.cut_off = True
        return reply

    return behave


class LLMServer:
    def __init__(
        self,
        choose: Choose = lambda _: None,
        key: str | None = None,
        refuses: Iterable[str] = (),
        probability: float | None = None,
    ) -> None:
        self.key = key
        self.refuses = set(refuses)
        self.requests: list[Received] = []
        self.stopped = threading.Event()
        self._default = answering(choose, probability)
        self._queue: deque[Behaviour] = deque()
        self._lock = threading.Lock()
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def then(self, *behaviours: Behaviour) -> None:
        """The next requests are answered so, one each."""
        self._queue.extend(behaviours)

    def always(self, behaviour: Behaviour) -> None:
        """Every request without a queued behaviour is answered so."""
        self._default = behaviour

    def reset(self, default: Behaviour) -> None:
        """As after a fresh start, with this behaviour; one server may serve many tests."""
        self.key, self.refuses, self.requests = None, set(), []
        self._queue.clear()
        self._default = default

    def reply(self, request: Received) -> Reply:
        with self._lock:
            self.requests.append(request)
            behaviour = self._queue.popleft() if self._queue else None
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return error(401, "wrong key")(request)
        for name in self.refuses & request.body.keys():
            return error(400, f"Unsupported parameter: {name}", param=name)(request)
        return (behaviour or self._default)(request)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: LLMServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner = self.server.owner
        reply = owner.reply(Received(self.path, headers, json.loads(raw)))
        if reply.hang:
            owner.stopped.wait()
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        half = len(reply.body) // 2
        for piece in (reply.body[:half], reply.body[half:]):
            self.server.owner.stopped.wait(reply.slow)
            self.wfile.write(piece)
            self.wfile.flush()
            if reply.cut_off:
                self.close_connection = True
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `LLMServer.requests` instead."""

"""An annotator as the server sees one: signed in, with the calls that the review page makes.

The connection is a bare socket that is kept open. Its work is part of every figure, because it
shares the cores with the server; a whole HTTP client would be a large part.
"""

from __future__ import annotations

import json
import re
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

HOST = "127.0.0.1"
SILENCE = 60
"""Seconds after which a server that says nothing is given up."""
FORM = "application/x-www-form-urlencoded"
HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^=;\s]+)=([^;\r]*)", re.IGNORECASE)

Sheet = dict[str, Any]


class Unexpected(Exception):
    """The server answered something else than the page would go on with."""


class Taken(Unexpected):
    """Somebody else was quicker to decide in this document."""


@dataclass(frozen=True)
class Answer:
    """`seconds` from the first byte sent to the last byte received."""

    status: int
    body: bytes
    seconds: float


@dataclass
class Annotator:
    """One person with a session and a connection of their own to 127.0.0.1:`port`."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _socket: socket.socket | None = None

    def sign_in(self, name: str, password: str) -> None:
        """Raises `Unexpected` where the server does not let them in."""
        self.call("GET", "/sign-in/")
        form = {"username": name, "password": password, "csrfmiddlewaretoken": self._token}
        answer = self.call("POST", "/sign-in/", urlencode(form), FORM)
        if answer.status != HTTPStatus.FOUND:
            raise Unexpected(f"signing in as {name}: {answer.status}")

    def next(self, project: str, after: int | None) -> tuple[Sheet | None, float]:
        """The next document's sheet, None where nothing is left, and the seconds it took."""
        asked = {"after": after, "order": "expected", "q": "", "skipped": False}
        said, seconds = self.post(f"/projects/{project}/review/next/", asked)
        return said["sheet"], seconds

    def decide(self, sheet: Sheet, decision: Mapping[str, Any]) -> float:
        """Sends one decision about the document of `sheet`, which takes over its new version; the
        seconds until it was acknowledged."""
        step = str(uuid.uuid4())
        decisions = [{"id": step, **decision}]
        body = {"version": sheet["version"], "step": step, "decisions": decisions}
        said, seconds = self.post(f"{sheet['url']}decisions/", body)
        sheet["version"] = said["version"]
        return seconds

    def post(self, path: str, body: object) -> tuple[Any, float]:
        """The JSON answer, and the seconds it took. Raises `Taken` for a 409, `Unexpected` for any
        other but a 200."""
        answer = self.call("POST", path, json.dumps(body), "application/json")
        if answer.status == HTTPStatus.CONFLICT:
            raise Taken(path)
        if answer.status != HTTPStatus.OK:
            raise Unexpected(f"{path}: {answer.status} {answer.body[:300]!r}")
        return json.loads(answer.body), answer.seconds

    def get(self, path: str) -> Any:
        """The JSON answer. Raises `Unexpected` for any but a 200."""
        answer = self.call("GET", path)
        if answer.status != HTTPStatus.OK:
            raise Unexpected(f"{path}: {answer.status} {answer.body[:300]!r}")
        return json.loads(answer.body)

    def call(self, method: str, path: str, body: str = "", kind: str = "") -> Answer:
        """One request; an idle connection that the server has closed is opened again."""
        request = self._request(method, path, body.encode(), kind)
        if self._socket is not None:
            try:
                return self._exchange(self._socket, request)
            except (BrokenPipeError, ConnectionResetError):
                self.close()
        self._socket = socket.create_connection((HOST, self.port), timeout=SILENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._exchange(self._socket, request)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def _token(self) -> str:
        return self.cookies.get("csrftoken", "")

    def _request(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{self.port}", "Accept: */*"]
        if self.cookies:
            lines.append(f"Cookie: {'; '.join(f'{k}={v}' for k, v in self.cookies.items())}")
        if method == "POST":
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
            lines.append(f"X-CSRFToken: {self._token}")
        return "\r\n".join(lines).encode() + HEAD_END + body

    def _exchange(self, connection: socket.socket, request: bytes) -> Answer:
        started = time.perf_counter()
        connection.sendall(request)
        head, body = _received(connection)
        seconds = time.perf_counter() - started
        self.cookies |= {name.decode(): value.decode() for name, value in _COOKIE.findall(head)}
        return Answer(int(head[9:12]), body, seconds)


def _received(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one answer, which says how long it is."""
    got = b""
    while HEAD_END not in got:
        got += _more(connection)
    head, _, body = got.partition(HEAD_END)
    length = _LENGTH.search(head)
    if length is None:
        raise Unexpected(f"an answer without its length: {head[:300]!r}")
    while len(body) < int(length[1]):
        body += _more(connection)
    return head, body


def _more(connection: socket.socket) -> bytes:
    got = connection.recv(1 << 18)
    if not got:
        raise ConnectionResetError("the server closed the connection")
    return got

"""A server or a model to ask, and requests to ask it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlworker import hardware
from mlworker.llm import chat, features, pace
from mlworker.llm import openai as provider
from mlworker.llm.prompt import built_in
from mlworker.schema import AskRequest, Label, Prompt, Question
from tests.llm_server import LLMServer, answering
from tests.mlworker.llm.chat_model import make_chat_model

LABELS = [
    Label("person", "Names of people."),
    Label("location", "Names of places."),
    Label("group"),
]

TEXTS = ("I met [Ada] .", "She lives in [York] , far from it all .", "[It] rains", "[Mr Lee]")

MakeRequest = Callable[..., AskRequest]


def question(number: int, text: str) -> Question:
    """`"I met [Ada] ."` as a question about what stands in the (first) brackets."""
    before, _, rest = text.partition("[")
    span, _, after = rest.partition("]")
    return Question(number, before + span + after, len(before), len(before) + len(span))


@pytest.fixture
def make_request() -> MakeRequest:
    """Builds an `AskRequest` from sentences; questions get the ids 101, 102, …"""

    def make(
        *texts: str,
        labels: list[Label] | None = None,
        model: str = "",
        prompt: Prompt | None = None,
    ) -> AskRequest:
        return AskRequest(
            chunk=7,
            attempt=2,
            provider="openai",
            model=model,
            prompt=prompt or built_in(),
            labels=LABELS if labels is None else labels,
            questions=[question(number, text) for number, text in enumerate(texts, start=101)],
        )

    return make


@pytest.fixture(scope="session")
def shared_llm_server() -> Iterator[LLMServer]:
    with LLMServer() as server:
        yield server


@pytest.fixture
def llm_server(shared_llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> LLMServer:
    """A server that calls every span a person, set as the one to ask; nothing is remembered.

    It is one for all tests, so that they share a client: making one takes longer than most tests.
    """
    shared_llm_server.reset(answering(lambda _: "person"))
    features._forgone.clear()
    pace.forget()
    for name in ("LLM_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_BASE_URL", shared_llm_server.base_url)
    monkeypatch.setenv("LLM_MODEL", "test-model")
    monkeypatch.setattr(provider, "TIMEOUT", 1.0)
    return shared_llm_server


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Makes a folder the one of the operator's LLM; none is remembered, and it runs in float32."""
    chat.load.cache_clear()
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda _: False)

    def use(folder: Path) -> Path:
        monkeypatch.setenv("LLM_FOLDER", str(folder))
        return folder

    return use


@pytest.fixture
def llama(tmp_path: Path, use: Callable[[Path], Path]) -> Path:
    return use(make_chat_model(tmp_path / "tiny"))


@pytest.fixture
def asking(make_request: MakeRequest) -> Callable[..., AskRequest]:
    """Builds a request to the LLM `tiny`, about `TEXTS` where none are given."""

    def asking(*texts: str, **fields: Any) -> AskRequest:
        request = make_request(*(texts or TEXTS), **fields)
        return replace(request, provider="transformers", model="tiny")

    return asking

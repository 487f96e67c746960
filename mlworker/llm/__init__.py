"""Asking an LLM about spans, or to read sentences whole; one small module per provider.

A provider is one function. A call makes at most one HTTP request and never raises for what a
server does: how the request ended is an `Outcome`, and a question that got no usable answer
comes back unresolved with its reason, never as "no entity".
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from mlworker.llm import pace
from mlworker.llm.outcomes import refused, unsent, wait
from mlworker.schema import AskRequest, AskResult

Provider = Callable[[AskRequest], AskResult]

PROVIDERS = {
    "openai": "mlworker.llm.openai.ask",
    "recorded": "mlworker.llm.recorded.ask",
    "transformers": "mlworker.llm.scoring.ask",
}
"""Name of a provider → dotted path of its function, imported on first use."""


def ask(request: AskRequest) -> AskResult:
    """Puts `request` to the provider that it names, unless its server is to be left alone."""
    path = PROVIDERS.get(request.provider)
    if path is None:
        return unsent(refused(request, f"there is no LLM provider {request.provider!r}"))
    seconds, reason = pace.held(request.provider)
    if seconds:
        return wait(request, seconds, reason)
    module, _, function = path.rpartition(".")
    result = cast("Provider", getattr(import_module(module), function))(request)
    if result.retry_after:
        pace.hold(request.provider, result.retry_after, result.trouble)
    return result

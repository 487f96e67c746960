"""What is asked of a chat-completions server beyond the messages, as long as it takes it.

Not every server knows JSON schemas or log-probabilities, and some models refuse a temperature.
A server that refuses one of these is remembered for as long as the process lives, and asked
without it from then on: the same prompt, and answers read as strictly.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from mlworker.llm.failures import Complaint
from mlworker.schema import Form

MAX_ALTERNATIVES = 20
"""The most alternatives per token that servers give."""

NAMES = {
    "JSON schemas": re.compile(r"response_format|json_schema|structured output|grammar", re.I),
    "logprobs": re.compile(r"logprobs", re.I),
    "a temperature": re.compile(r"temperature", re.I),
    # A prompt that leaves too little room for the answer is no reason to ask without a limit.
    "max_completion_tokens": re.compile(
        r"\A(?!.*context length).*max_completion_tokens", re.I | re.S
    ),
    "max_tokens": re.compile(r"\A(?!.*context length).*max_tokens", re.I | re.S),
}
"""Name of a feature → how a server's complaint about it reads."""

LIMITS = ("max_completion_tokens", "max_tokens")
"""What the most tokens of an answer are called: by newer servers, and by older ones."""

INTEGER = {"type": "integer"}

REFUSALS = {400, 404, 422, 500, 501}

Features = dict[str, dict[str, Any]]
"""Name of a feature → the fields of a request that ask for it."""

_forgone: defaultdict[tuple[str, str], set[str]] = defaultdict(set)


def wanted(options: Mapping[str, str], form: Form) -> Features:
    """All that an answer with these options could use."""
    likely = {"logprobs": True, "top_logprobs": min(len(options), MAX_ALTERNATIVES)}
    chosen: Features = {"logprobs": likely, "a temperature": {"temperature": 0}}
    if form is Form.CHOICE:
        return {"JSON schemas": {"response_format": answer_format(options)}} | chosen
    if form is Form.SWEEP:
        schemas = {"JSON schemas": {"response_format": sweep_format(options)}}
        return schemas | {"a temperature": {"temperature": 0}}
    return chosen


def limits(most_tokens: int | None) -> Features:
    """All ways of saying how many tokens an answer may have; none where it may have any."""
    return {name: {name: most_tokens} for name in LIMITS} if most_tokens else {}


def answer_format(codes: Iterable[str]) -> dict[str, Any]:
    """The schema of an answer; the same for all requests of a project, so servers may cache it."""
    return _format("answers", {"id": INTEGER, "label": {"type": "string", "enum": [*codes]}})


def sweep_format(codes: Iterable[str]) -> dict[str, Any]:
    """The schema of what is found in sentences."""
    mention = {
        "text": {"type": "string"},
        "occurrence": INTEGER,
        "label": {"type": "string", "enum": [*codes]},
    }
    mentions = {"type": "array", "items": _object(mention)}
    return _format("found", {"id": INTEGER, "mentions": mentions})


def _format(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    schema = _object({key: {"type": "array", "items": _object(entry)}})
    return {
        "type": "json_schema",
        "json_schema": {"name": key, "strict": True, "schema": schema},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def accepted(memory: tuple[str, str], features: Features) -> Features:
    """The features that the server and model of `memory` (base URL, model) did not refuse yet."""
    return {name: value for name, value in features.items() if name not in _forgone[memory]}


def fields(features: Features) -> dict[str, Any]:
    return {key: value for part in features.values() for key, value in part.items()}


def refused(complaint: Complaint, sent: Features, said: str) -> str | None:
    """The feature among those sent that the server complains about, if that is what it does.

    Where the complaint names a parameter that alone decides. Its words may quote the request, so
    what reads like a feature in what was `said` there does not count: a text is not to decide how
    others are asked about.
    """
    if complaint.status not in REFUSALS:
        return None
    text = complaint.param or complaint.raw
    named = [name for name in sent if NAMES[name].search(text)]
    sure = [name for name in named if complaint.param or not NAMES[name].search(said)]
    return next(iter(sure), None)


def forgo(memory: tuple[str, str], feature: str) -> None:
    _forgone[memory].add(feature)

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
}
"""Name of a feature → how a server's complaint about it reads."""

REFUSALS = {400, 404, 422, 500, 501}

Features = dict[str, dict[str, Any]]
"""Name of a feature → the fields of a request that ask for it."""

_forgone: defaultdict[tuple[str, str], set[str]] = defaultdict(set)


def wanted(options: Mapping[str, str], form: Form) -> Features:
    """All that an answer with these options could use."""
    coded = {"JSON schemas": {"response_format": answer_format(options)}}
    return (coded if form is Form.CHOICE else {}) | {
        "logprobs": {"logprobs": True, "top_logprobs": min(len(options), MAX_ALTERNATIVES)},
        "a temperature": {"temperature": 0},
    }


def answer_format(codes: Iterable[str]) -> dict[str, Any]:
    """The schema of an answer; the same for all requests of a project, so servers may cache it."""
    item = {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "label": {"type": "string", "enum": [*codes]},
        },
        "required": ["id", "label"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": item}},
        "required": ["answers"],
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "answers", "strict": True, "schema": schema},
    }


def accepted(memory: tuple[str, str], features: Features) -> Features:
    """The features that the server and model of `memory` (base URL, model) did not refuse yet."""
    return {name: value for name, value in features.items() if name not in _forgone[memory]}


def fields(features: Features) -> dict[str, Any]:
    return {key: value for part in features.values() for key, value in part.items()}


def refused(complaint: Complaint, sent: Features) -> str | None:
    """The feature among those sent that the server complains about, if that is what it does.

    Where the complaint names a parameter that alone decides: a message may quote the request.
    """
    if complaint.status not in REFUSALS:
        return None
    text = complaint.param or complaint.raw
    return next((name for name in sent if NAMES[name].search(text)), None)


def forgo(memory: tuple[str, str], feature: str) -> None:
    _forgone[memory].add(feature)

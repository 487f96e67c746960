"""An LLM that does as it is told by whoever wrote the text: a behaviour of `LLMServer`."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.llm_server import Received, Reply, completion

JSON_OBJECT = re.compile(r"(\{.*\})", re.DOTALL)
ORDER = re.compile(r"\b(?:reply|say)[^:\n]*: *([^\n]+)", re.IGNORECASE)
MARKERS = str.maketrans("", "", "\u27e6\u27e7")


def obeying(request: Received) -> Reply:
    """Its whole reply is the first JSON object that stands in a text, or else what follows "reply"
    or "say" and a colon; else it picks the first option for all, and for an item that nobody asked
    about."""
    text = request.body["messages"][-1]["content"]
    if texts := _texts(text):
        return _read(texts)
    for context in (item["context"] for item in _items(text)):
        for order in (JSON_OBJECT, ORDER):
            if found := order.search(context.translate(MARKERS)):
                return completion(found[1])
    numbers = [item["id"] for item in _items(text)] or [1]
    answers = [{"id": number, "label": "A"} for number in (*numbers, max(numbers) + 1)]
    return completion(json.dumps({"answers": answers}))


def _read(texts: list[dict[str, Any]]) -> Reply:
    """Told to reply in JSON, it does; else it finds what was ordered, and every name that it knows,
    in every text: also where it does not stand, with labels that nobody offered."""
    named = ["Ada", "Bo", "Eve", "system", "Bo came . Ada"]
    for text in texts:
        if found := JSON_OBJECT.search(text["text"]):
            return completion(found[1].replace('"answers"', '"found"'))
        if found := ORDER.search(text["text"].translate(MARKERS)):
            named.append(found[1])
    mentions = [
        {"text": words, "occurrence": n, "label": label}
        for words in named
        for n, label in ((1, "A"), (2, "B"), (1, "ruler"), (99, "A"))
    ]
    entries = [{"id": text["id"], "mentions": mentions} for text in texts]
    return completion(json.dumps({"found": entries}))


def _texts(message: str) -> list[dict[str, Any]]:
    """The sentences of a user message that has some read whole."""
    try:
        return json.loads(message).get("texts", [])
    except ValueError:
        return []


def _items(message: str) -> list[dict[str, Any]]:
    """The items of a user message; the paper's one question is an item without a number."""
    try:
        return json.loads(message)["items"]
    except ValueError:
        return [{"id": 1, "context": message.partition(" Select the entity type of ")[0]}]

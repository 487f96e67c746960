"""The provider `recorded`: answers that an LLM gave earlier stand in for a live one.

`AskRequest.model` names a recording, the file `recordings/<model>.jsonl`. Each line is
`{"key": …, "label": "person", "confidence": 3}`, where the key holds no text (see `key_of`), the
label `O` means "not an entity" and confidence is the LLM's own, 1 to 3. Lines with `mentions`
instead of a label answer another kind of question and are passed over.
"""

from __future__ import annotations

import json
import re
from functools import cache
from hashlib import sha1
from pathlib import Path

from mlworker.llm.outcomes import refused
from mlworker.llm.prompt import plain
from mlworker.schema import NO_ENTITY, Answer, AskRequest, AskResult, Outcome, Question

RECORDINGS = Path(__file__).parent / "recordings"
PROBABILITY = {3: 0.97, 2: 0.8, 1: 0.55}
"""What a recorded confidence stands for, as a probability."""

Recording = dict[str, tuple[str, int]]


def ask(request: AskRequest) -> AskResult:
    path = RECORDINGS / f"{request.model}.jsonl"
    if not re.fullmatch(r"[a-z0-9_-]+", request.model) or not path.is_file():
        return refused(request, f"there are no recorded answers named {request.model!r}")
    rows = load(path)
    names = {NO_ENTITY, *(label.name for label in request.labels)}
    answers = [answer(question, rows, names) for question in request.questions]
    return AskResult(request.chunk, request.attempt, Outcome.ANSWERED, answers)


def answer(question: Question, rows: Recording, names: set[str]) -> Answer:
    row = rows.get(key_of(question.context, question.start, question.end))
    if row is None:
        return Answer(question.id, None, reason="no recorded answer")
    label, confidence = row
    if label not in names:
        reason = f"the recorded answer is {label!r}, which is not a label of this project"
        return Answer(question.id, None, reason=reason)
    return Answer(question.id, label, PROBABILITY[confidence])


def key_of(context: str, start: int, end: int) -> str:
    """The key of the question about `context[start:end]`.

    SHA-1 of the context as an LLM is shown it, without white space, then the span's offsets in
    that stripped text: `<hex>:<start>:<end>`.
    """
    before, span = squeeze(context[:start]), squeeze(context[start:end])
    text = before + span + squeeze(context[end:])
    digest = sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return f"{digest}:{len(before)}:{len(before) + len(span)}"


def squeeze(text: str) -> str:
    return "".join(plain(text).split())


@cache
def load(path: Path) -> Recording:
    """The answers of a recording by key, read once per process.

    Raises `ValueError` with file and line for a row that is not as described above.
    """
    rows: Recording = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").strip().split("\n"), start=1):
        try:
            row = json.loads(line)
            if "mentions" in row:
                continue
            label, confidence = row["label"], row.get("confidence", 3)
            if not isinstance(label, str) or confidence not in PROBABILITY:
                raise ValueError("no label, or a confidence other than 1, 2 or 3")
            rows[row["key"]] = label, confidence
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path.name}:{number}: not a recorded answer: {error}") from error
    return rows

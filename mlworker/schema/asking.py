"""Asking an LLM: prompts, questions, sentences to be read, and how a request ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlworker.schema.message import Message, Work
from mlworker.schema.texts import Label, Mention

PROMPT = "choice.v2"
"""The built-in prompt that a project asks with where it has none of its own."""
SWEEP_PROMPT = "sweep.v1"
"""The built-in prompt with which sentences are read whole."""


@dataclass(frozen=True)
class Example(Message):
    """A question that gold answers: `context[start:end]` has this label, or `NO_ENTITY`."""

    context: str
    start: int
    end: int
    label: str


class Form(StrEnum):
    """How questions are put."""

    CHOICE = "choice"
    """Several a request, as JSON; the LLM answers with the codes of options."""
    QUESTION = "question"
    """One a request, in a sentence, as in the LinkNER paper; it answers with a label's name."""
    SWEEP = "sweep"
    """Whole sentences, several a request, as JSON; the LLM names the mentions it finds."""

    def together(self, most: int) -> int:
        """How many questions, or sentences, share a request that is to have `most`."""
        return 1 if self is Form.QUESTION else most


@dataclass(frozen=True)
class Prompt(Message):
    """What an LLM is told before the questions: instructions with a slot for the options, and
    examples that stay the same for all questions."""

    text: str
    form: Form = Form.CHOICE
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class Question(Message):
    """One multiple-choice question: which label has `context[start:end]`?

    `examples` are shown beside this question alone.
    """

    id: int
    context: str
    start: int
    end: int
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class Passage(Message):
    """A sentence to be read for all its mentions."""

    id: int
    text: str


@dataclass(frozen=True)
class AskRequest(Work):
    """One request to an LLM: several questions with the same options, or passages to be read.

    `most_tokens` is how many the answer may have, where a budget pays for it.
    """

    provider: str
    model: str
    prompt: Prompt
    labels: list[Label]
    questions: list[Question] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    most_tokens: int | None = None

    @property
    def ids(self) -> list[int]:
        """Of its questions or passages, in their order."""
        return [*(question.id for question in self.questions), *(text.id for text in self.passages)]

    @property
    def size(self) -> int:
        """How many questions or passages."""
        return len(self.ids)


@dataclass(frozen=True)
class Answer(Message):
    """`label` is a label's name, `NO_ENTITY`, or None where the question stays unresolved, and
    then `reason` says why. `probability` is the LLM's own, where the server gives it, and
    `probabilities` that of every option by name (they make 1), where it is known of all."""

    id: int
    label: str | None
    probability: float | None = None
    reason: str = ""
    probabilities: dict[str, float] | None = None


@dataclass(frozen=True)
class Ungrounded(Message):
    """What an LLM named that does not stand in the passage so: `label` as it gave it."""

    text: str
    label: str


@dataclass(frozen=True)
class Finds(Message):
    """What was found in a passage, offsets in its text; `mentions` is None where it got no usable
    answer, and then `reason` says why."""

    id: int
    mentions: list[Mention] | None
    ungrounded: list[Ungrounded] = field(default_factory=list)
    reason: str = ""


class Outcome(StrEnum):
    """How a request to an LLM ended, and so what becomes of its questions."""

    ANSWERED = "answered"
    """The server answered; each question has its `Answer` (some may be unresolved)."""
    RETRY = "retry"
    """Rate limit, time-out, server or connection error: try again later."""
    SPLIT = "split"
    """The server refused the request; one question may be at fault, so it is parted in two."""
    REFUSED = "refused"
    """Asking again will not help: no key, wrong key, no server configured."""
    WAIT = "wait"
    """No request was made: the server is to be left alone for a while."""


@dataclass(frozen=True)
class AskResult(Work):
    """`billed` is false where the request surely costs nothing: it never reached a server, or
    the server answered with an error; `sent` where it surely never reached the server.
    `server_failed` says that the server is at fault: an error of its own, no reply in time, no
    connection. When several in a row are, it is left alone for a while. `trouble` is why the
    server is to be left alone, in words that may be told to all who ask it: none of the server's
    own, which may quote the request. `at_fault` is the id of the question or passage that a server
    names as the cause when it refuses a request; None where it names none."""

    outcome: Outcome
    answers: list[Answer] = field(default_factory=list)
    reason: str = ""
    retry_after: float | None = None
    raw: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_ms: int = 0
    billed: bool = True
    sent: bool = True
    server_failed: bool = False
    trouble: str = ""
    finds: list[Finds] = field(default_factory=list)
    at_fault: int | None = None

"""What asking costs: the tokens that the same questions take with different prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlworker.llm.prompt import Messages, build
from mlworker.schema import AskRequest, Label, Prompt, Question

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English, and what the replay server counts by."""


@dataclass(frozen=True)
class Cost:
    """What so many questions, or sentences to be read, took; tokens are those of all requests
    together."""

    asked: int
    requests: int
    prompt_tokens: int
    completion_tokens: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.asked + other.asked,
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    @property
    def tokens_each(self) -> float:
        return self.prompt_tokens / self.asked

    @property
    def requests_per_1000(self) -> float:
        return 1000 * self.requests / self.asked


def render(
    prompt: Prompt, labels: Sequence[Label], questions: Sequence[Question], together: int
) -> Iterator[Messages]:
    """The messages of each request; `together` questions share one where the form lets them."""
    size = prompt.form.together(together)
    for at in range(0, len(questions), size):
        asked = [*questions[at : at + size]]
        yield build(AskRequest(0, 0, "", "", prompt, [*labels], asked))


def cost(
    prompt: Prompt, labels: Sequence[Label], questions: Sequence[Question], together: int
) -> Cost:
    sizes = [len(m.system) + len(m.user) for m in render(prompt, labels, questions, together)]
    tokens = sum(max(1, size // CHARACTERS_PER_TOKEN) for size in sizes)
    return Cost(len(questions), len(sizes), tokens)

"""What an LLM that has read sentences whole says of the spans in them (pure).

Pages and the bench build evidence by the same rules, so that what is measured is what is served.
This module holds nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from mlworker.schema import NO_ENTITY, Evidence, Lane

Span = tuple[int, int]


class Swept(Protocol):
    """A sentence that the LLM has read; `ungrounded` is what it named that nobody could place."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def ungrounded(self) -> Sequence[object]: ...

    def labels(self) -> Mapping[Span, str]:
        """The label of each span that it named; offsets in the document, as those above."""
        ...


def said_of(span: Span, swept: Iterable[Swept]) -> str | None:
    """What the LLM said of `span` when it read its sentence; None where it has not, and where it
    may have meant `span` by what could not be placed: that is no "no entity"."""
    for sentence in swept:
        if sentence.start <= span[0] and span[1] <= sentence.end:
            return sentence.labels().get(span, None if sentence.ungrounded else NO_ENTITY)
    return None


def proposals(
    swept: Iterable[Swept], known: Container[Span], faint: Mapping[Span, dict[str, float]]
) -> Iterator[Evidence]:
    """What the LLM found where the local model sees nothing, or not surely enough to be among the
    `known` spans; of the `faint` ones its probabilities are kept."""
    for sentence in swept:
        for span, label in sentence.labels().items():
            if span not in known:
                yield Evidence(
                    *span,
                    lane=Lane.PROPOSAL,
                    label=label,
                    uncertainty=1.0,
                    probabilities=faint.get(span, {}),
                    found=label,
                )

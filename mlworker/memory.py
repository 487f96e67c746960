"""What a version remembers of its gold, so that a span can be shown beside what resembles it.

Evidence for people, never a verdict: a vote of the nearest names the right label less often than
the version itself does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mlworker.schema import NEAREST, Neighbour
from mlworker.uncertainty import Floats

DIGITS = 3
"""Decimals of a similarity on the wire."""

ROWS = 256
"""Spans that are compared at once: what a matrix of similarities takes of the memory is bounded."""

Place = tuple[int, int, int]
"""The id of a text, and where in it a span starts and ends."""


@dataclass(frozen=True)
class Memory:
    """Gold mentions, no two of the same words in the same sentence with the same label.

    *Shapes:* vectors (n, D), each of length 1; references (n, 4): the id of the text, start and
    end in it, and the class, an index into `classes`.
    """

    classes: tuple[str, ...]
    vectors: Tensor
    references: Tensor

    @classmethod
    def of(cls, classes: tuple[str, ...], tensors: Mapping[str, Tensor]) -> Memory:
        """The inverse of `tensors`, ready to be compared with."""
        return cls(classes, tensors["vectors"].float(), tensors["references"])

    def tensors(self) -> dict[str, Tensor]:
        """What a version's folder holds of it, the vectors in half precision."""
        return {"vectors": self.vectors.half(), "references": self.references}

    def to(self, device: torch.device) -> Memory:
        return replace(self, vectors=self.vectors.to(device))

    def nearest(self, vectors: Floats, places: Sequence[Place]) -> Iterator[list[Neighbour]]:
        """For the span at each of `places`, which has that row of `vectors` (n, D, of length 1),
        the mentions most like it, the likest first; never the span itself."""
        for at in range(0, len(places), ROWS):
            queries = torch.from_numpy(vectors[at : at + ROWS]).to(self.vectors)
            # One more than is wanted: the span itself may be among them, and no more than once.
            most = min(NEAREST + 1, len(self.vectors))
            similarities, rows = (queries @ self.vectors.T).topk(most)
            references = self.references[rows.cpu()].tolist()
            yield from map(
                self._examples, places[at : at + ROWS], similarities.tolist(), references
            )

    def _examples(
        self, place: Place, similarities: list[float], references: list[list[int]]
    ) -> list[Neighbour]:
        likest = [
            Neighbour(text, start, end, self.classes[number], min(round(similarity, DIGITS), 1.0))
            for similarity, (text, start, end, number) in zip(similarities, references, strict=True)
            if (text, start, end) != place
        ]
        return likest[:NEAREST]

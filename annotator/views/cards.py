"""A group of alike mentions as the triage page shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from django.utils.http import urlencode

from annotator.triage import Group, Said, Sieve


@dataclass(frozen=True)
class Piece:
    """A part of a bar that is 100 wide."""

    said: Said
    start: float
    width: float


@dataclass(frozen=True)
class Card:
    """A group as the page shows it; `query` names it, and the sieve that it was found with."""

    group: Group
    query: str
    is_open: bool = False

    @property
    def id(self) -> str:
        """What it is called on the page, however odd its words are."""
        name = f"{self.group.label.pk} {self.group.form}"
        return sha256(name.encode()).hexdigest()[:12]

    @property
    def llm(self) -> list[Piece]:
        return self._pieces(self.group.llm)

    @property
    def local(self) -> list[Piece]:
        return self._pieces(self.group.local)

    def _pieces(self, said: tuple[Said, ...]) -> list[Piece]:
        pieces, start = [], 0.0
        for each in said:
            width = 100 * each.count / self.group.count
            pieces.append(Piece(each, round(start, 2), round(width, 2)))
            start += width
        return pieces

    @property
    def other(self) -> Said | None:
        """What the LLM says most often, where that is another label than the suggested one."""
        first = self.group.llm[0] if self.group.llm else None
        return first if first and first.label and first.label != self.group.label else None

    @property
    def best(self) -> str:
        """The decision that most of the group seems to need."""
        first = self.group.llm[0] if self.group.llm else None
        if first is None or first.count <= self.group.silent:
            return "accept"
        return "relabel" if self.other else "accept" if first.label else "reject"


def card_of(group: Group, sieve: Sieve, *, is_open: bool = False) -> Card:
    named = {"form": group.form, "of": group.label.pk}
    return Card(group, urlencode(chosen(sieve) | named), is_open)


def chosen(sieve: Sieve) -> dict[str, Any]:
    """The sieve as a query string has it, without what is so by default."""
    plain = asdict(Sieve())
    return {name: value for name, value in asdict(sieve).items() if value != plain[name]}

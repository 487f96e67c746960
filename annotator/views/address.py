"""What stands in an address or a form, into which anybody may have typed anything."""

from __future__ import annotations

LONGEST_SEARCH = 200


def text(given: str | None) -> str:
    """Without NUL, which PostgreSQL knows no text with."""
    return (given or "").replace("\x00", "")


def words(given: str | None) -> str:
    """What is searched for."""
    return text(given).strip()[:LONGEST_SEARCH]


def row(given: str | None) -> int:
    """A number that may be a row's; 0 where it is none."""
    # Longer ones are no row's, and int() refuses those of thousands of digits.
    fits = given and len(given) < 19 and given.isascii() and given.isdigit()
    return int(given) if given and fits else 0

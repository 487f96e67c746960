"""What deciding many mentions at once would do, or did, in plain words."""

from __future__ import annotations

from annotator.decisions import Action
from annotator.settling import Tally, Wish


def number(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _where(tally: Tally) -> str:
    return f"{number(tally.mentions, 'mention')} in {number(tally.documents, 'document')}"


def would(tally: Tally, wish: Wish, suggested: str) -> list[str]:
    """Sentences about what `wish` would do to mentions that are `suggested` (a label's name)."""
    one = tally.mentions == 1
    verbs = {
        Action.ACCEPT: f"{'is' if one else 'are'} accepted as {suggested}",
        Action.RELABEL: f"{'becomes' if one else 'become'} {wish.label}",
        Action.REJECT: f"{'is' if one else 'are'} rejected: no entity",
    }
    first = f"{_where(tally)} {verbs[Action(wish.action)]}." if tally.mentions else ""
    others = f"{_others(tally)} {'goes' if tally.others == 1 else 'go'}." if tally.others else ""
    return [sentence for sentence in (first, others, *_left_alone(tally)) if sentence]


def did(tally: Tally, wish: Wish, suggested: str) -> list[str]:
    """The same, afterwards."""
    was = "was" if tally.mentions == 1 else "were"
    verbs = {
        Action.ACCEPT: f"{was} accepted as {suggested}",
        Action.RELABEL: f"became {wish.label}",
        Action.REJECT: f"{was} rejected: no entity",
    }
    first = (
        f"{_where(tally)} {verbs[Action(wish.action)]}." if tally.mentions else "Nothing changed."
    )
    others = f"{_others(tally)} went." if tally.others else ""
    return [sentence for sentence in (first, others, *_left_alone(tally)) if sentence]


def _others(tally: Tally) -> str:
    word = "other suggestion"
    return f"{number(tally.others, word)} that {'overlaps' if tally.others == 1 else 'overlap'}"


def _left_alone(tally: Tally) -> list[str]:
    overlap = "overlaps" if tally.refused == 1 else "overlap"
    stay = "stays" if tally.refused == 1 else "stay"
    refused = f"{tally.refused:,} {overlap} something decided and {stay}." if tally.refused else ""
    left = "is" if tally.changed == 1 else "are"
    changed = (
        f"{tally.changed:,} {left} left alone, as {'its' if tally.changed == 1 else 'their'} text "
        "was worked on since you looked: look once more."
        if tally.changed
        else ""
    )
    return [refused, changed]


def undone(tally: Tally, what: str) -> list[str]:
    """What taking an act back did; `what` is "Undone" or "Done again"."""
    first = f"{what}: {_where(tally)}." if tally.mentions else "Nothing changed."
    kept = (
        f"{number(tally.kept, 'document')} {'stays' if tally.kept == 1 else 'stay'} as "
        f"{'it is' if tally.kept == 1 else 'they are'}: something was decided there since."
        if tally.kept
        else ""
    )
    return [sentence for sentence in (first, kept) if sentence]

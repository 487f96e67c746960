"""The demo corpus as data: the marked-up `corpus.txt` in, texts and mentions out. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from mlworker.schema import Label, Mention

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus.txt"
KINDS = ("social", "news", "ticket")
GOLD_PER_KIND = 50
HOLD_OUT_EVERY = 5

_HEADING = "## "
_COMMENT = "# "
_MARKED = re.compile(r"\[([^\[\]]+)\]\(([^()]*)\)")

Split = Literal["train", "dev", "none"]


@dataclass(frozen=True)
class DemoText:
    """One text without its markup. `mentions` are gold and in order; empty where `gold` is not."""

    kind: str
    text: str
    gold: bool
    split: Split
    mentions: list[Mention] = field(default_factory=list)


def read(path: Path = CORPUS) -> list[DemoText]:
    """All texts, in the file's order.

    Raises `ValueError`, with file and line, where markup is broken, stands in a text that is to be
    reviewed, or names a label that `labels.yaml` lacks, and for an unknown or missing heading.
    """
    names = {label.name for label in labels()}
    seen: Counter[str] = Counter()
    texts = []
    for number, kind, line in _lines(path):
        try:
            texts.append(_text(kind, line, seen[kind], names))
        except ValueError as error:
            raise ValueError(f"{path.name}:{number}: {error}") from error
        seen[kind] += 1
    return texts


def labels() -> list[Label]:
    """The demo project's labels, with the descriptions that people and the LLM read."""
    entries = yaml.safe_load((FOLDER / "labels.yaml").read_text(encoding="utf-8"))
    return [Label(entry["name"], entry["description"]) for entry in entries]


def guidelines() -> str:
    """The demo project's annotation guidelines, in plain text."""
    return (FOLDER / "guidelines.txt").read_text(encoding="utf-8")


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line number, kind, marked-up text) of every text."""
    kind = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.startswith(_HEADING):
            kind = line.removeprefix(_HEADING)
            if kind not in KINDS:
                raise ValueError(f"{path.name}:{number}: unknown kind {kind!r}")
        elif line and not line.startswith(_COMMENT) and line != "#":
            if not kind:
                raise ValueError(f"{path.name}:{number}: text before the first heading")
            yield number, kind, line


def _text(kind: str, line: str, index: int, names: Collection[str]) -> DemoText:
    """The text at `index` of its kind: its place in the file decides gold and split."""
    text, mentions = _unmarked(line, names)
    if index < GOLD_PER_KIND:
        held_out = index % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1
        return DemoText(kind, text, True, "dev" if held_out else "train", mentions)
    if mentions:
        raise ValueError("markup in a text that is to be reviewed")
    return DemoText(kind, text, False, "none")


def _unmarked(line: str, names: Collection[str]) -> tuple[str, list[Mention]]:
    """`line` without its markup, and the mentions the markup gave."""
    text, mentions, end = "", [], 0
    for marked in _MARKED.finditer(line):
        surface, label = marked.groups()
        if label not in names:
            raise ValueError(f"unknown label {label!r}")
        text += line[end : marked.start()]
        mentions.append(Mention(len(text), len(text) + len(surface), label))
        text += surface
        end = marked.end()
    text += line[end:]
    if "[" in text or "]" in text:
        raise ValueError("broken markup: a square bracket that is not [name](label)")
    return text, mentions

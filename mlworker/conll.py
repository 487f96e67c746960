"""Two-column CoNLL files (token, tab or blanks, IOB2 tag; a blank line after each sentence)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from mlworker.schema import NO_ENTITY, Mention, Text


def read(path: Path) -> list[Text]:
    """A text per sentence, its words joined by blanks; `-DOCSTART-` lines are passed over.

    Raises `ValueError`, with file and line, where a line has not two columns or a strange tag.
    """
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    rows = ((number, line) for number, line in lines if not line.startswith("-DOCSTART-"))
    sentences = [
        [_columns(path, number, line) for number, line in group]
        for blank, group in groupby(rows, key=lambda row: not row[1].strip())
        if not blank
    ]
    return [_text(number, sentence) for number, sentence in enumerate(sentences)]


def _columns(path: Path, number: int, line: str) -> tuple[str, str]:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 2 or not columns[0].strip():
        raise ValueError(f"{path}:{number}: not a token and a tag: {line!r:.60}")
    token, tag = columns[0].strip(), columns[-1].strip()
    if tag != NO_ENTITY and tag[:2] not in ("B-", "I-"):
        raise ValueError(f"{path}:{number}: not an IOB tag: {tag!r:.60}")
    return token, tag


def _text(number: int, sentence: list[tuple[str, str]]) -> Text:
    tokens, at = [], 0
    for token, _ in sentence:
        tokens.append((at, at + len(token)))
        at += len(token) + 1
    mentions = [
        Mention(tokens[first][0], tokens[last][1], label)
        for first, last, label in _chunks([tag for _, tag in sentence])
    ]
    return Text(number, " ".join(token for token, _ in sentence), tokens, mentions)


def _chunks(tags: list[str]) -> Iterator[tuple[int, int, str]]:
    """First word, last word (inclusive) and label of each mention.

    As conlleval reads them: I- after O or after another label begins a mention too.
    """
    first, label = 0, ""
    for i, tag in enumerate([*tags, NO_ENTITY]):
        goes_on = tag[:2] == "I-" and tag[2:] == label
        if label and not goes_on:
            yield first, i - 1, label
        if not goes_on:
            first, label = i, tag[2:]

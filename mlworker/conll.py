"""CoNLL columns: a word first and its tag last on each line (tab or blanks between them), a blank
line after each sentence; tags in IOB1, IOB2, BIOES or BILOU, whichever the file uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from mlworker.schema import NO_ENTITY, Mention, Text

PREFIXES = frozenset("BIESLU")
BEGINS, ENDS = frozenset("BSU"), frozenset("SUEL")
"""The prefixes that only a mention's first word has, and only its last."""


def parse(content: str, name: str) -> list[Text]:
    """A text per sentence, its words joined by blanks; `-DOCSTART-` lines are passed over.

    Raises `ValueError`, with `name` and line, where a line has not two columns or a strange tag.
    """
    # Not splitlines(): it also breaks at characters that words of real corpora hold.
    lines = enumerate(content.split("\n"), 1)
    rows = ((number, line) for number, line in lines if not line.startswith("-DOCSTART-"))
    sentences = [
        [_columns(f"{name}:{number}", line) for number, line in group]
        for blank, group in groupby(rows, key=lambda row: not row[1].strip())
        if not blank
    ]
    return [_text(number, sentence) for number, sentence in enumerate(sentences)]


def _columns(place: str, line: str) -> tuple[str, str]:
    columns = [column.strip() for column in line.split("\t" if "\t" in line else " ")]
    if len(columns) < 2 or not columns[0]:
        raise ValueError(f"{place}: not a token and a tag: {line!r:.60}")
    token, tag = columns[0], columns[-1]
    prefix, _, label = tag.partition("-")
    if tag != NO_ENTITY and not (prefix in PREFIXES and label):
        raise ValueError(f"{place}: not an IOB tag: {tag!r:.60}")
    return token, tag


def _text(number: int, sentence: list[tuple[str, str]]) -> Text:
    tokens, at = [], 0
    for token, _ in sentence:
        tokens.append((at, at + len(token)))
        at += len(token) + 1
    mentions = [
        Mention(tokens[first][0], tokens[last][1], label)
        for first, last, label in chunks([tag for _, tag in sentence])
    ]
    return Text(number, " ".join(token for token, _ in sentence), tokens, mentions)


def chunks(tags: list[str]) -> Iterator[tuple[int, int, str]]:
    """First word, last word (inclusive) and label of each mention.

    IOB tags that are out of order are repaired as the official conlleval does: I- after O or after
    another label begins a mention too.
    """
    first, before, open_label = 0, "", ""
    for i, tag in enumerate([*tags, NO_ENTITY]):
        prefix, _, label = tag.partition("-")
        goes_on = label == open_label and prefix not in BEGINS and before not in ENDS
        if open_label and not goes_on:
            yield first, i - 1, open_label
        if not goes_on:
            first, open_label = i, label
        before = prefix

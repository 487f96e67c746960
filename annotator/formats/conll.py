"""CoNLL columns: a word and its tag per line, a blank line after each sentence.

Tags are read in IOB1, IOB2, BIOES or BILOU, whichever the file uses, and written in IOB2. The
text is the words joined by spaces and the sentences joined by line feeds, which is all that the
format knows of it. `-DOCSTART-` begins a document; a file without it has one per sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from annotator.formats.columns import DOCUMENT_START, Sentence, Word, looks_tagged, sentences
from annotator.formats.records import ExportDocument, Loss, Record
from annotator.formats.words import words
from mlworker.schema import NO_ENTITY, Mention

TITLE = "CoNLL columns"

_SUFFIXES = {".conll", ".bio", ".iob", ".iob2", ".bioes", ".bilou"}
_ALONE, _LAST = ("S", "U"), ("E", "L")
"""The prefixes of a mention of one word and of a mention's last word, in BIOES and in BILOU."""


def recognises(suffix: str, text: str) -> bool:
    return suffix in _SUFFIXES or looks_tagged(text)


def read(
    text: str,
    *,
    filename: str,
    notes: list[str],
    token_column: int = 0,
    tag_column: int = -1,
) -> Iterator[Record]:
    """Columns count from 0, and from the end if negative."""
    found = list(sentences(text, token_column, tag_column, notes))
    notes.append(_scheme([sentence.words for sentence in found]))
    for document in _documents(found):
        yield _record(document, f"{filename}:{document[0][0].line}")


def _documents(found: list[Sentence]) -> Iterator[list[list[Word]]]:
    marked = any(sentence.opens for sentence in found)
    document: list[list[Word]] = []
    for sentence in found:
        if document and (sentence.opens or not marked):
            yield document
            document = []
        document.append(sentence.words)
    if document:
        yield document


def _record(document: list[list[Word]], name: str) -> Record:
    tokens: list[tuple[int, int]] = []
    mentions: list[Mention] = []
    at = 0
    for sentence in document:
        spans = []
        for word in sentence:
            spans.append((at, at + len(word.token)))
            at += len(word.token) + 1
        tokens += spans
        mentions += [
            Mention(spans[first][0], spans[last][1], sentence[first].label)
            for first, last in _mention_words(sentence)
        ]
    text = "\n".join(" ".join(word.token for word in sentence) for sentence in document)
    line = document[0][0].line
    return Record(text, line, name, tokens=tokens, mentions=mentions, annotated=True)


def _mention_words(sentence: list[Word]) -> Iterator[tuple[int, int]]:
    """Each mention's first and last word; one reading that is right for all the schemes."""
    first = -1
    for index, word in enumerate(sentence):
        before = sentence[index - 1] if index else None
        if first >= 0 and (not word.label or _starts(word, before)):
            yield first, index - 1
            first = -1
        if first < 0 and word.label:
            first = index
    if first >= 0:
        yield first, len(sentence) - 1


def _starts(word: Word, before: Word | None) -> bool:
    """Whether a word with a label begins a mention."""
    return word.prefix == "B" or word.prefix in _ALONE or not _continues(word, before)


def _continues(word: Word, before: Word | None) -> bool:
    """Whether the word before is of a mention that this one could go on."""
    if before is None or before.label != word.label:
        return False
    return before.prefix not in (*_ALONE, *_LAST)


def _scheme(found: list[list[Word]]) -> str:
    """The name of the tags' scheme, and where the file does not keep to it."""
    prefixes: set[str] = set()
    strays: list[int] = []
    needless = 0  # B- where IOB1 would write I-
    for sentence in found:
        for before, word in zip([None, *sentence], sentence, strict=False):
            prefixes.add(word.prefix)
            if not word.label or word.prefix in _ALONE or _continues(word, before):
                continue
            if word.prefix == "B":
                needless += 1
            else:
                strays.append(word.line)
    if prefixes & {"E", "S", "L", "U"}:
        name = "BIOES" if prefixes & {"E", "S"} else "BILOU"
    else:
        name = "IOB1" if strays and not needless else "IOB2"
    if not strays or name == "IOB1":
        return f"tags in {name}"
    return (
        f"tags in {name}, but {len(strays)} mentions do not begin with B- (the first at line "
        f"{strays[0]}): taken as mentions, as in IOB1"
    )


def dump(documents: Iterable[ExportDocument], losses: list[Loss]) -> Iterator[str]:
    """Two columns, IOB2, `-DOCSTART-` before each document; adds to `losses` what does not fit.

    A document without words of its own is cut by `words`, and its spacing is lost.
    """
    for document in documents:
        text = document.text
        tokens = document.tokens or words(text)
        rows = [f"{DOCUMENT_START}\t{NO_ENTITY}\n"]
        end_before = None
        for (start, end), tag in zip(tokens, _tags(document, tokens, losses), strict=True):
            if end_before is None or "\n" in text[end_before:start]:
                rows.append("\n")
            rows.append(f"{text[start:end]}\t{tag}\n")
            end_before = end
        if tokens:
            yield "".join(rows) + "\n"


def _tags(document: ExportDocument, tokens: list[tuple[int, int]], losses: list[Loss]) -> list[str]:
    """A tag per word; of mentions that overlap, the longer one stays."""
    firsts = {start: index for index, (start, _) in enumerate(tokens)}
    lasts = {end: index for index, (_, end) in enumerate(tokens)}
    tags = [NO_ENTITY] * len(tokens)
    for mention in sorted(document.mentions, key=lambda m: (m.start - m.end, m.start, m.label)):
        first, last = firsts.get(mention.start), lasts.get(mention.end)
        if first is None or last is None:
            reason = "does not begin and end with a word"
        elif "\n" in document.text[mention.start : mention.end]:
            reason = "goes over the end of a line"
        elif set(tags[first : last + 1]) != {NO_ENTITY}:
            reason = "overlaps another mention"
        else:
            tags[first] = f"B-{mention.label}"
            tags[first + 1 : last + 1] = [f"I-{mention.label}"] * (last - first)
            continue
        losses.append(Loss(document.name, mention, reason))
    return tags

"""What an export holds comes back from an import, whatever the script."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator import formats
from annotator.formats import ExportDocument, ExportMention, Loss, Parsed, Record
from annotator.formats.words import words

relaxed = settings(deadline=None)  # a busy machine is no failure

PIECES = [
    *("Ana", "Lee", "a", " ", "  ", "\n", "\r\n", "\t", ".", ",", '"', "\\n", "-", "#", "O"),
    *("😀", "👩‍👩‍👧", "👍🏽", "🇳🇿", "\u200d", "\ufe0f"),
    *("שלום", "مرحبا", "\u202e", "東京", "へ", "e\u0301", "हिन्दी", "ไทย", "𝔘"),
    *("\u2028", "\x85", "\u00a0", "\ufeff", "<b>", "{}", "-DOCSTART-", "=1+1"),
]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join)
LABELS = st.sampled_from(["PER", "LOC", "creative-work", "job title", "人"])
META = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers() | TEXTS, max_size=2)
PROVENANCE = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["local", "llm", "person", "import"]),
        "model_version": st.sampled_from(["", "spanner-7"]),
        "uncertainty": st.none() | st.floats(0, 1),
        "routing": st.sampled_from(["", "accept", "llm", "human"]),
        "llm_label": st.sampled_from(["", "O", "PER"]),
        "decided_by": st.sampled_from(["", "ana"]),
        "decided_at": st.sampled_from(["", "2026-11-20T10:00:00+00:00"]),
        "evidence": TEXTS,
    }
)


@st.composite
def documents(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> ExportDocument:
    text = draw(texts.filter(str.strip))
    spans = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    found = {}
    for first, second in draw(st.lists(spans.filter(lambda span: span[0] != span[1]), max_size=4)):
        place = (min(first, second), max(first, second), draw(LABELS))
        found[place] = ExportMention(*place, **draw(PROVENANCE))
    tokens = draw(st.none() | st.just(words(text)))
    return ExportDocument(
        id=draw(st.integers(1, 9999)),
        name=draw(st.sampled_from(["post 1", "😀.txt:3"])),
        text=text,
        gold=draw(st.booleans()),
        mentions=[found[place] for place in sorted(found)],
        tokens=tokens or None,
        meta=draw(META),
    )


def export(name: str, *given_documents: ExportDocument) -> tuple[str, list[Loss]]:
    losses: list[Loss] = []
    return "".join(formats.dump(name, given_documents, losses)), losses


def read_back(name: str, *given_documents: ExportDocument) -> Parsed:
    text, _ = export(name, *given_documents)
    return formats.parse(name, text.encode(), filename="export")


def places(mentions: list[Any]) -> list[tuple[int, int, str]]:
    return [(m.start, m.end, m.label) for m in mentions]


def assert_same(document: ExportDocument, record: Record) -> None:
    """Gold comes back as mentions, all else as suggestions, and never the other way."""
    assert record.text == document.text
    assert record.name == document.name
    assert record.tokens == document.tokens
    assert record.meta == document.meta
    assert record.annotated == document.gold
    found, none = record.mentions, record.suggestions
    if not document.gold:
        found, none = none, found
    assert places(found) == places(document.mentions)
    assert not none


@pytest.mark.parametrize("name", ["jsonl", "labelstudio"])
@relaxed
@given(given_documents=st.lists(documents(), min_size=1, max_size=3))
def test_an_export_comes_back_as_the_same_documents(
    name: str, given_documents: list[ExportDocument]
) -> None:
    parsed = read_back(name, *given_documents)
    for document, record in zip(given_documents, parsed.records, strict=True):
        assert_same(document, record)


@relaxed
@given(given_documents=st.lists(documents(), min_size=1, max_size=3))
def test_a_jsonl_export_of_what_was_read_back_is_the_same_file(
    given_documents: list[ExportDocument],
) -> None:
    """The fixed point, for all that an import keeps: provenance belongs to its own project."""
    plain = [_without_provenance(document) for document in given_documents]
    first, _ = export("jsonl", *plain)
    records = formats.parse("jsonl", first.encode(), filename="export").records
    again = [
        _as_export(record, document.id) for record, document in zip(records, plain, strict=True)
    ]
    assert export("jsonl", *again)[0] == first


def _without_provenance(document: ExportDocument) -> ExportDocument:
    mentions = [ExportMention(m.start, m.end, m.label) for m in document.mentions]
    return ExportDocument(**{**vars(document), "mentions": mentions})


def _as_export(record: Record, number: int) -> ExportDocument:
    return ExportDocument(
        id=number,
        name=record.name,
        text=record.text,
        gold=record.annotated,
        mentions=[
            ExportMention(m.start, m.end, m.label) for m in record.mentions + record.suggestions
        ],
        tokens=record.tokens,
        meta=record.meta,
    )


@relaxed
@given(document=documents())
def test_every_jsonl_export_is_one_line_to_any_program(document: ExportDocument) -> None:
    text, losses = export("jsonl", document)
    assert len(text.splitlines()) == 1
    row = json.loads(text)
    assert row["offset_unit"] == "code point"
    for mention, given_mention in zip(row["mentions"], document.mentions, strict=True):
        assert mention["text"] == document.text[mention["start"] : mention["end"]]
        assert ExportMention(**{k: v for k, v in mention.items() if k != "text"}) == given_mention
    assert losses == []


def test_a_suggestion_keeps_who_made_it() -> None:
    mention = ExportMention(0, 3, "PER", source="llm", model_version="v7", uncertainty=0.25)
    document = ExportDocument(1, "a", "Ana", gold=False, mentions=[mention])
    suggestion = read_back("jsonl", document).records[0].suggestions[0]
    assert (suggestion.source, suggestion.model_version, suggestion.score) == ("llm", "v7", 0.75)
    suggestion = read_back("labelstudio", document).records[0].suggestions[0]
    assert (suggestion.model_version, suggestion.score) == ("v7", 0.75)


def test_suggestions_read_back_are_noted() -> None:
    mention = ExportMention(0, 3, "PER", source="local")
    document = ExportDocument(1, "a", "Ana", gold=False, mentions=[mention])
    notes = read_back("jsonl", document).notes
    assert "1 documents are not gold; their mentions are only suggestions" in notes


def test_label_studio_gets_annotations_for_gold_and_a_prediction_per_version_otherwise() -> None:
    mentions = [
        ExportMention(0, 3, "PER", source="local", model_version="v7", uncertainty=0.4),
        ExportMention(4, 7, "PER", source="local", model_version="v7", uncertainty=0.1),
        ExportMention(4, 7, "ORG", source="llm"),
    ]
    gold = ExportDocument(1, "a", "Ana Lee", gold=True, mentions=mentions[:1])
    other = ExportDocument(2, "b", "Ana Lee", gold=False, mentions=mentions)
    first, second = json.loads(export("labelstudio", gold, other)[0])
    result = first["annotations"][0]["result"][0]
    assert result["value"] == {"start": 0, "end": 3, "text": "Ana", "labels": ["PER"]}
    assert (result["from_name"], result["to_name"], result["type"]) == ("label", "text", "labels")
    assert first["predictions"] == []
    assert second["annotations"] == []
    scored = [(p["model_version"], p["score"], len(p["result"])) for p in second["predictions"]]
    assert scored == [("v7", 0.6, 2), ("llm", None, 1)]


@pytest.mark.parametrize("name", formats.written())
def test_an_export_of_nothing_is_a_file(name: str) -> None:
    text, losses = export(name)
    assert text == ("[]\n" if name == "labelstudio" else "")
    assert losses == []


def test_exports_are_written_piece_by_piece() -> None:
    def endless() -> Any:
        while True:
            yield ExportDocument(1, "a", "Ana", gold=True, mentions=[])

    for name in formats.written():
        pieces = formats.dump(name, endless(), [])
        assert "Ana" in next(pieces) + next(pieces)


def test_an_unknown_export_format_is_refused() -> None:
    with pytest.raises(formats.FormatError, match="Use labelstudio, jsonl, conll"):
        formats.dump("csv", [], [])


# --- CoNLL --------------------------------------------------------------------------------------

SENTENCES = st.lists(
    st.lists(
        st.sampled_from(["Ana", "😀", "שלום", "東京", "e\u0301", "#", "O", "a\u00a0b"]), min_size=1
    ),
    min_size=1,
    max_size=3,
)


@relaxed
@given(sentences=SENTENCES, data=st.data())
def test_conll_keeps_a_tokenised_document_and_its_mentions(
    sentences: list[list[str]], data: st.DataObject
) -> None:
    text = "\n".join(" ".join(sentence) for sentence in sentences)
    tokens, mentions, at = [], [], 0
    for sentence in sentences:
        spans = []
        for token in sentence:
            spans.append((at, at + len(token)))
            at += len(token) + 1
        tokens += spans
        for start, end in data.draw(_disjoint(spans)):
            mentions.append(ExportMention(start, end, data.draw(LABELS)))
    document = ExportDocument(1, "a", text, gold=True, mentions=mentions, tokens=tokens)
    exported, losses = export("conll", document)
    record = formats.parse("conll", exported.encode(), filename="x").records[0]
    assert (record.text, record.tokens) == (text, tokens)
    assert places(record.mentions) == places(mentions)
    assert losses == []


def _disjoint(spans: list[tuple[int, int]]) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Some runs of the spans that do not overlap."""
    cuts = st.sets(st.integers(0, len(spans)), max_size=4).map(sorted)
    return cuts.map(
        lambda at: [(spans[a][0], spans[b - 1][1]) for a, b in zip(at[::2], at[1::2], strict=False)]
    )


@relaxed
@given(given_documents=st.lists(documents(), min_size=1, max_size=3))
def test_conll_writes_or_reports_every_mention(given_documents: list[ExportDocument]) -> None:
    exported, losses = export("conll", *given_documents)
    if not any(words(document.text) for document in given_documents):
        return
    records = formats.parse("conll", exported.encode(), filename="x").records
    found = sum(len(record.mentions) for record in records)
    assert found + len(losses) == sum(len(document.mentions) for document in given_documents)


@relaxed
@given(given_documents=st.lists(documents(), min_size=1, max_size=3))
def test_a_conll_export_of_what_was_read_back_is_the_same_file(
    given_documents: list[ExportDocument],
) -> None:
    exported, _ = export("conll", *given_documents)
    if not any(words(document.text) for document in given_documents):
        return
    records = formats.parse("conll", exported.encode(), filename="x").records
    again, losses = export("conll", *[_as_export(record, 1) for record in records])
    assert formats.parse("conll", again.encode(), filename="x").records == records
    assert losses == []


def test_conll_leaves_out_a_document_without_words_and_reports_its_mentions() -> None:
    mention = ExportMention(0, 1, "X")
    document = ExportDocument(1, "a", "\u200b", gold=True, mentions=[mention])
    assert export("conll", document) == (
        "",
        [Loss("a", mention, "does not begin and end with a word")],
    )


def test_conll_reports_each_mention_it_cannot_hold() -> None:
    text = "Ana Lee's unhappy\nEva"
    mentions = [
        ExportMention(0, 7, "PER"),
        ExportMention(0, 3, "PER"),
        ExportMention(12, 17, "X"),
        ExportMention(3, 7, "X"),
        ExportMention(10, 21, "X"),
    ]
    document = ExportDocument(1, "post 1", text, gold=True, mentions=mentions)
    exported, losses = export("conll", document)
    assert exported.startswith(
        "-DOCSTART-\tO\n\nAna\tB-PER\nLee\tI-PER\n'\tO\ns\tO\nunhappy\tO\n\n"
    )
    assert exported.endswith("\n\nEva\tO\n\n")
    assert sorted(map(str, losses)) == [
        "post 1: PER [0, 3) overlaps another mention",
        "post 1: X [10, 21) goes over the end of a line",
        "post 1: X [12, 17) does not begin and end with a word",
        "post 1: X [3, 7) does not begin and end with a word",
    ]

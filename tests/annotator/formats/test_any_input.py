"""Whatever the file: records or a `FormatError`, never another exception."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annotator import formats

relaxed = settings(deadline=None)  # a busy machine is no failure

PIECES = ["text", "Ana", "O", "B-PER", ",", ";", "\t", " ", '"', "\n", "\r", "{", "}", "[", "]"]
PIECES += [":", "1", "-DOCSTART-", "# ", "\\u", "😀", "\u2028", "\\ud800", "null", "NaN", "\x00"]
FILES = st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=40).map(
    lambda pieces: "".join(pieces).encode()
)
KEYS = ["text", "label", "labels", "spans", "mentions", "entities", "data", "annotations", "meta"]
KEYS += ["predictions", "result", "value", "start", "end", "tokens", "id", "name", "gold", "type"]
KEYS += ["offset_unit", "annotation_id", "answer", "score", "model_version", "ground_truth"]
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 3, -1, 0.5, "", "Ana 😀", "PER", "UTF-16", "code point"]),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(KEYS), children)
    ),
    max_leaves=12,
)


def read_or_refuse(name: str, data: bytes) -> None:
    try:
        records = formats.parse(name, data, filename="corpus").records
    except formats.FormatError as error:
        records, message = [], str(error)
    else:
        message = "corpus"
        assert records
    assert message.startswith("corpus")
    message.encode()
    for record in records:
        record.text.encode()
        for mention in [*record.mentions, *record.suggestions]:
            assert 0 <= mention.start < mention.end <= len(record.text)


@pytest.mark.parametrize("name", formats.FORMATS)
@relaxed
@given(data=FILES)
@example(data=b'\xff\xfe"')
@example(data=b'"')
@example(data=b",")
@example(data=b"\n \xc2\x85\n")
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    read_or_refuse(name, data)


@relaxed
@given(data=FILES)
def test_any_bytes_have_a_format_or_are_refused(data: bytes) -> None:
    with suppress(formats.FormatError):
        assert formats.detect("corpus", data) in formats.FORMATS


@pytest.mark.parametrize("name", ["jsonl", "labelstudio"])
@relaxed
@given(rows=st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES), min_size=1, max_size=3))
def test_any_json_is_read_or_refused(name: str, rows: list[dict[str, Any]]) -> None:
    read_or_refuse(name, json.dumps(rows).encode())


@relaxed
@given(text_first=st.dictionaries(st.sampled_from(KEYS[1:]), VALUES))
def test_any_row_with_a_text_is_read_or_refused(text_first: dict[str, Any]) -> None:
    for row in ({"text": "Ana 😀 Lee", **text_first}, {"data": {"text": "Ana 😀"}, **text_first}):
        read_or_refuse("jsonl", json.dumps(row).encode())

"""Exports leave as attachments, piece by piece."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from annotator import exporting

from .conftest import TEXT, World


@pytest.mark.parametrize("name", exporting.FORMATS)
def test_every_format_is_an_attachment(world: World, owner: Client, name: str) -> None:
    answer = owner.get(f"{world.url}export/{name}/")
    assert (answer.status_code, answer.streaming) == (200, True)
    assert answer["Content-Disposition"].startswith('attachment; filename="letters-')
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert ("Oslo" in answer.getvalue().decode()) == (name != "conll"), "CoNLL is for gold alone"


def test_jsonl_keeps_text_and_offsets(world: World, owner: Client) -> None:
    content = owner.get(f"{world.url}export/jsonl/").getvalue().decode()
    (row,) = [json.loads(line) for line in content.split("\n") if line]
    assert row["text"] == TEXT
    assert world.foreign_document.text not in content


def test_an_unknown_format_is_not_found(world: World, owner: Client) -> None:
    for name in ("xml", "annotator", "jsonl2"):
        assert owner.get(f"{world.url}export/{name}/").status_code == 404

"""Files come in: with counts, or refused with the line and the remedy, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotator.models import Document, Import, Mention

from .conftest import World, post

EMOJI = "🎉 Ada 👋🏽"
GOOD = {"text": EMOJI, "labels": [[2, 5, "person"]]}


def upload(client: Client, world: World, content: bytes, name: str, **fields: Any) -> Any:
    body = {"file": SimpleUploadedFile(name, content)} | fields
    return client.post(f"{world.url}documents/", body)


def lines(*rows: Any) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def test_a_file_of_gold_comes_in_exactly(world: World, owner: Client) -> None:
    content = lines(GOOD, {"text": "  Nobody here.  ", "labels": []})
    fields = {"format": "jsonl", "gold": "true", "split": "dev"}
    answer = upload(owner, world, content, "gold.jsonl", **fields)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["filename"], told["format"], told["documents_count"]) == ("gold.jsonl", "jsonl", 2)
    assert isinstance(told["notes"], list)
    rows = owner.get(f"{world.url}documents/?status=gold&split=dev").json()["results"]
    assert len(rows) == 2
    first, second = (owner.get(f"{world.url}documents/{row['id']}/").json() for row in rows)
    assert (first["text"], second["text"]) == (EMOJI, "  Nobody here.  ")
    (mention,) = first["mentions"]
    assert (mention["surface"], mention["state"], mention["source"]) == (
        "Ada",
        "accepted",
        "import",
    )
    assert Import.objects.get().created_by == world.people["owner"]


def test_the_format_is_recognised_and_suggestions_wait_for_people(
    world: World, owner: Client
) -> None:
    answer = upload(owner, world, lines(GOOD), "some.jsonl")
    assert (answer.status_code, answer.json()["format"]) == (201, "jsonl")
    mention = Mention.objects.get(source="import")
    assert (mention.state, mention.needs_person) == ("suggested", True)


def test_a_broken_line_is_named_and_nothing_comes_in(world: World, owner: Client) -> None:
    answer = upload(owner, world, lines(GOOD) + b"\n{broken", "bad.jsonl", format="jsonl")
    assert answer.status_code == 400
    told = answer.json()
    assert (told["file"], told["line"]) == ("bad.jsonl", 2)
    assert told["detail"].startswith("bad.jsonl, line 2")
    assert not Import.objects.exists()
    assert Document.objects.filter(project=world.project).count() == 1


@pytest.mark.parametrize(
    ("name", "content", "fields"),
    [
        ("empty.txt", b"", {}),
        ("blank.txt", b" \n\n ", {}),
        ("binary.txt", bytes(range(256)), {"format": "text"}),
        ("label.jsonl", lines({"text": "x", "labels": [[0, 1, "nobody"]]}), {}),
        ("outside.jsonl", lines({"text": "x", "labels": [[0, 9, "person"]]}), {}),
        ("unseen.jsonl", lines({"text": "x"}), {"gold": "true"}),
        ("broken.conll", b"Ada B-person\nmet\n", {"format": "conll"}),
    ],
)
def test_files_that_cannot_be_read(
    world: World, owner: Client, name: str, content: bytes, fields: dict[str, str]
) -> None:
    answer = upload(owner, world, content, name, **fields)
    assert answer.status_code == 400
    assert answer.json()["file"] == name
    assert name in answer.json()["detail"]
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "docx"},
        {"format": "annotator.models"},
        {"split": "all"},
        {"gold": "perhaps"},
        {"project": "1"},
        {"file": "not a file"},
    ],
)
def test_fields_that_cannot_be(world: World, owner: Client, fields: dict[str, str]) -> None:
    answer = upload(owner, world, b"A text.", "a.txt", **fields)
    assert (answer.status_code, [*answer.json()["errors"]]) == (400, [*fields])
    assert not Import.objects.exists()


def test_the_same_file_comes_in_once(world: World, owner: Client) -> None:
    first = upload(owner, world, b"A text.", "a.txt").json()
    again = upload(owner, world, b"A text.", "b.txt")
    assert (again.status_code, again.json()["earlier"]) == (409, first["id"])
    assert Import.objects.count() == 1


def test_a_file_that_is_too_large(world: World, owner: Client, settings: Any) -> None:
    settings.UPLOAD_LIMIT = 1_000_000
    answer = upload(owner, world, b"x" * 1_000_001, "large.txt")
    assert answer.status_code == 400
    assert "1 MB" in answer.json()["detail"]


def test_a_hostile_name_is_only_a_name(world: World, owner: Client) -> None:
    answer = upload(owner, world, b"A text.", "../../<img onerror=x>" + "n" * 400 + ".txt")
    assert answer.status_code in (201, 400)
    assert all("/" not in name for name in Import.objects.values_list("filename", flat=True))


def test_json_is_no_file(world: World, owner: Client) -> None:
    assert post(owner, f"{world.url}documents/", {"text": "A text."}).status_code == 415

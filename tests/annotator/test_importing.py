"""A file comes in whole or not at all, and says what was wrong and where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annotator import gold, importing
from annotator.formats.records import FormatError
from annotator.models import Document, Import, Mention, Project
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = "👩‍🚀 Ada met Bo."


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def lines(*rows: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def span(surface: str, label: str, text: str = TEXT) -> dict[str, Any]:
    start = text.index(surface)
    return {"start": start, "end": start + len(surface), "label": label}


def bring(project: Project, data: bytes, filename: str = "corpus.jsonl", **given: Any) -> Import:
    return importing.import_file(project, filename=filename, data=data, **given)


def test_mentions_of_a_plain_import_are_suggestions_for_people(project: Project) -> None:
    user = factories.make_user()
    rows = lines(
        {"text": TEXT, "spans": [span("Ada", "person"), span("Bo", "person")], "place": "hall"},
        {"text": "It rained."},
    )
    source = bring(project, rows, user=user)
    first, second = project.documents.all()
    assert (source.documents_count, source.format, source.created_by) == (2, "jsonl", user)
    assert (first.text, first.status, first.split, first.source) == (TEXT, "tagged", "none", source)
    assert (first.needs_count, first.priority, first.meta) == (2, 2, {"place": "hall"})
    assert [(m.surface, m.state, m.source, m.needs_person) for m in first.mentions.all()] == [
        ("Ada", "suggested", "import", True),
        ("Bo", "suggested", "import", True),
    ]
    assert "nobody has checked it here" in first.mentions.all()[0].reason
    assert (second.status, second.needs_count, second.mentions.count()) == ("new", 0, 0)


def test_gold_is_accepted_and_split_by_its_text(project: Project) -> None:
    rows = [{"text": f"Ada {n}", "spans": [span("Ada", "person", "Ada")]} for n in range(30)]
    bring(project, lines(*rows, rows[0]), gold=True)
    documents = list(project.documents.all())
    assert {d.status for d in documents} == {"gold"}
    assert [d.split for d in documents] == [gold.split_of(d.sha256) for d in documents]
    assert {d.split for d in documents} == {"train", "dev"}
    assert documents[0].split == documents[-1].split
    mention = Mention.objects.filter(document=documents[0]).get()
    assert (mention.state, mention.needs_person, mention.reason) == ("accepted", False, "")


def test_a_given_split_is_kept(project: Project) -> None:
    bring(project, lines({"text": TEXT, "spans": []}), gold=True, split="test")
    assert project.documents.get().split == "test"


def test_suggestions_in_a_gold_file_are_not_gold(project: Project) -> None:
    task = {
        "data": {"text": TEXT},
        "annotations": [{"result": [_result("Ada", "person")]}],
        "predictions": [{"result": [_result("Bo", "person")]}],
    }
    bring(project, json.dumps([task]).encode(), "tasks.json", gold=True)
    assert [m.surface for m in project.documents.get().mentions.all()] == ["Ada"]


def _result(surface: str, label: str) -> dict[str, Any]:
    start = len(TEXT[: TEXT.index(surface)].encode("utf-16-le")) // 2
    value = {"start": start, "end": start + len(surface), "text": surface, "labels": [label]}
    return {"type": "labels", "from_name": "label", "to_name": "text", "value": value}


def test_tokens_of_a_tokenised_corpus_are_kept(project: Project) -> None:
    bring(project, b"Ada B-person\nmet O\n\nBo B-person\n", "corpus.conll", gold=True)
    assert list(project.documents.values_list("text", "tokens")) == [
        ("Ada met", [[0, 3], [4, 7]]),
        ("Bo", [[0, 2]]),
    ]


@pytest.mark.parametrize(
    ("filename", "data", "says"),
    [
        ("a.jsonl", lines({"text": "ok"}) + b"\n{broken", "a.jsonl, line 2"),
        ("a.jsonl", lines({"text": "ok"}, {"text": "x", "spans": [[0, 9, "person"]]}), "line 2"),
        ("a.jsonl", lines({"text": "ok"}, {"text": TEXT, "spans": [[0, 3, "dragon"]]}), "dragon"),
        ("a.jsonl", lines({"text": "ok"}, {"text": "a\x00b"}), "line 2"),
        ("a.jsonl", b'{"text": "ok"}\n{"text": "half \\ud800 pair"}', "line 2"),
        ("a.conll", b"Ada B-person\nmet\n", "a.conll, line 2"),
        ("a.conll", b"Ada B-dragon\n", "unknown label 'dragon'"),
        ("a.txt", b"", "No documents in file"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "PNG image"),
        ("a.txt", b"caf\xe9", "not UTF-8"),
    ],
)
def test_a_bad_file_leaves_nothing_behind(
    project: Project, filename: str, data: bytes, says: str
) -> None:
    with pytest.raises(FormatError) as error:
        bring(project, data, filename)
    assert says in str(error.value)
    assert filename in str(error.value)
    assert not Document.objects.exists()
    assert not Import.objects.exists()


def test_the_column_of_the_text_can_be_named(project: Project) -> None:
    bring(project, b"id,body\n1,Ada\n", "a.csv", text_column="body")
    assert Document.objects.get().text == "Ada"


@pytest.mark.parametrize("value", ["a\x00b", {"deep": ["\x00"]}, {"\x00": 1}])
def test_what_no_database_keeps_is_refused_in_other_fields_too(
    project: Project, value: Any
) -> None:
    with pytest.raises(FormatError, match="line 1"):
        bring(project, lines({"text": "ok", "note": value}))


def test_gold_without_annotation_is_refused(project: Project) -> None:
    rows = lines({"text": TEXT, "spans": []}, {"text": "Nobody looked."})
    with pytest.raises(FormatError, match=r"line 2: .*no annotation, so it cannot be gold"):
        bring(project, rows, gold=True)
    assert not Document.objects.exists()


def test_the_same_file_comes_in_once_a_project(project: Project) -> None:
    rows = lines({"text": TEXT})
    first = bring(project, rows)
    with pytest.raises(importing.Duplicate, match=r"came in as corpus.jsonl on .* with 1 doc") as e:
        bring(project, rows, "another name.jsonl")
    assert e.value.earlier == first
    assert Document.objects.count() == 1
    bring(factories.make_project(), rows)


def test_a_file_that_is_too_large_is_refused(project: Project, settings: Any) -> None:
    settings.UPLOAD_LIMIT = 2_000_000
    with pytest.raises(FormatError, match=r"larger than 2 MB\. Split it"):
        bring(project, b"x" * 2_000_001, "a.txt")


def test_failing_midway_leaves_nothing_behind(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    rows = [{"text": f"Ada {n}", "spans": [span("Ada", "person", "Ada")]} for n in range(5)]

    def tell(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 4:
            raise KeyboardInterrupt

    seen: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        bring(project, lines(*rows), tell=tell)
    assert seen == [(2, 5), (4, 5)]
    assert not Document.objects.exists()
    assert not Import.objects.exists()
    bring(project, lines(*rows))
    assert Document.objects.count() == 5


def test_a_long_name_is_cut_to_what_fits(project: Project) -> None:
    bring(project, b"Ada came.\n", "x" * 300 + ".txt")
    assert len(Import.objects.get().filename) == 255
    assert len(Document.objects.get().name) <= 255

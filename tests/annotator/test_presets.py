"""The label sets that come along: usable, named as in their corpora, in words of our own."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from annotator.models import Project
from annotator.presets import FOLDER, PRESETS, labels_of
from tests import factories

NAMES = {
    "conll03": "PER LOC ORG MISC",
    "ontonotes5": (
        "PERSON NORP FAC ORG GPE LOC PRODUCT EVENT WORK_OF_ART LAW LANGUAGE DATE TIME PERCENT "
        "MONEY QUANTITY ORDINAL CARDINAL"
    ),
    "wnut17": "person location corporation product creative-work group",
    "tweetner7": "corporation creative_work event group location person product",
    "jnlpba": "DNA RNA protein cell_line cell_type",
}


@pytest.mark.parametrize("preset", PRESETS)
def test_names_are_those_of_the_corpus_and_each_is_described(preset: str) -> None:
    labels = labels_of(preset)
    assert [label.name for label in labels] == NAMES[preset].split()
    # A field of the page holds as much.
    assert all(20 < len(label.description) <= 500 for label in labels)


def test_every_file_is_offered() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == PRESETS.keys()


def create(*arguments: str) -> str:
    out = StringIO()
    call_command("create_project", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_takes_a_preset_where_no_such_file_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "PER, LOC, ORG, MISC" in create("News", "--labels", "conll03")
    Path("conll03").write_text("[animal]", encoding="utf-8")
    assert "animal" in create("Zoo", "--labels", "conll03")
    with pytest.raises(CommandError, match="Known label sets: conll03, ontonotes5"):
        create("Other", "--labels", "conll04")


@pytest.mark.django_db
def test_the_page_fills_in_the_labels_and_keeps_what_was_typed(client: Client) -> None:
    client.force_login(factories.make_user(is_superuser=True))
    page = client.get("/projects/new/").content.decode()
    assert all(f'<option value="{name}">' in page for name in PRESETS)
    typed = {"name": "Tweets", "language": "de", "preset": "wnut17", "fill": "labels"}
    typed |= {"labels-TOTAL_FORMS": "4", "labels-INITIAL_FORMS": "0"}
    filled = client.post("/projects/new/", typed)
    assert not Project.objects.exists()
    assert filled.status_code == 200
    rows, form = filled.context["rows"], filled.context["form"]
    posted = {"name": form["name"].value(), "language": form["language"].value()}
    posted |= {f"labels-{key}": value for key, value in rows.management_form.initial.items()}
    for row in rows:
        posted |= {field.html_name: field.value() or "" for field in row}
    assert client.post("/projects/new/", posted).status_code == 302
    project = Project.objects.get()
    assert (project.name, project.language) == ("Tweets", "de")
    assert [(label.name, label.description) for label in project.labels.all()] == [
        (label.name, label.description) for label in labels_of("wnut17")
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("preset", ["", "../../etc/passwd", "conll04"])
def test_no_known_preset_fills_in_nothing(client: Client, preset: str) -> None:
    client.force_login(factories.make_user(is_superuser=True))
    page = client.post("/projects/new/", {"preset": preset, "fill": "labels"})
    assert page.status_code == 200
    assert all(not row["name"].value() for row in page.context["rows"])

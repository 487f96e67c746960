"""Projects and their labels: what is taken, and what is refused with what to change."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from annotator.models import Label, Project
from annotator.projects import create_project, read_label_file, read_labels
from mlworker.schema import Label as Named
from tests import factories


def refusal(text: str) -> str:
    with pytest.raises(ValidationError) as error:
        read_labels(text, "labels.yaml")
    return " ".join(error.value.messages)


def test_labels_from_yaml_json_or_plain_names() -> None:
    person = Named("person", "People, also invented ones.")
    assert read_labels(
        "- name: person\n  description: |\n    People,\n    also invented ones.\n- place\n"
    ) == [person, Named("place")]
    assert read_labels('[{"name": "person", "description": null}]') == [Named("person")]
    assert read_labels("- work of art\n- Straße\n- 人名\n- می‌خواهم\n")[1:] == [
        Named("Straße"),
        Named("人名"),
        Named("می‌خواهم"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "labels.yaml: expected a list"),
        ("name: person", "expected a list"),
        ("[]", "at least one label"),
        ("- name: person\n  - x: [", "labels.yaml, line 2: this is neither YAML nor JSON"),
        ("- person\n- description: nobody", "entry 2 is no label ({'description': 'nobody'})"),
        ("- person\n- 7", "entry 2 is no label (7); give a name"),
        ("- name: person\n  description: [a]", "entry 1 is no label"),
        ("- no", "entry 1 is no label (False)"),
        ("- person\n- 2020-13-45", "neither YAML nor JSON"),
        ("[" * 600, "neither YAML nor JSON"),
        ("- &a [*a]", "entry 1 is no label"),
        ("- ? 2020-01-01\n  : x", "entry 1 is no label"),
        ('- "a\\0b"', "holds a control character"),
        ('- "a\\ud800b"', "holds a control character"),
        ('- {name: a, description: "b\\0"}', "holds a control character"),
        ("- O", "“O” means “not an entity”"),
        ('- ""', "cannot be a label's name"),
        ('- " person"', "cannot be a label's name"),
        ('- "per\\tson"', "cannot be a label's name"),
        ('- "per\\nson"', "cannot be a label's name"),
        (f"- {'x' * 65}", "cannot be a label's name (1–64 characters)"),
        ("- Person\n- person", "“Person” and “person” are too alike"),
        ("- person\n- person", "too alike"),
        ('!!python/object/apply:os.system ["true"]', "neither YAML nor JSON"),
    ],
)
def test_labels_that_cannot_be(text: str, says: str) -> None:
    assert says in refusal(text)


def test_a_label_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="No such file"):
        read_label_file(tmp_path / "none.yaml")
    with pytest.raises(ValidationError, match="Is a directory"):
        read_label_file(tmp_path)
    (tmp_path / "labels.yaml").write_bytes(b"- caf\xe9")
    with pytest.raises(ValidationError, match=r"labels\.yaml: not UTF-8 at byte 5"):
        read_label_file(tmp_path / "labels.yaml")


@pytest.mark.django_db
def test_a_project_keeps_its_labels_in_order_and_has_an_owner() -> None:
    owner = factories.make_user()
    labels = [Named("place", "Where."), Named("person")]
    project = create_project(" Letters ", labels, owner=owner)
    assert (project.name, project.slug, project.role_of(owner)) == ("Letters", "letters", "owner")
    assert list(project.labels.values_list("name", "description", "position")) == [
        ("place", "Where.", 0),
        ("person", "", 1),
    ]
    assert not project.llm_allowed
    assert project.threshold() is None


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Letters", " Letters", "", "  ", "x" * 101])
def test_a_project_whose_name_cannot_be_leaves_nothing_behind(name: str) -> None:
    create_project("Letters", [Named("person")])
    with pytest.raises(ValidationError):
        create_project(name, [Named("person")])
    assert (Project.objects.count(), Label.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_every_name_gets_a_slug_of_its_own() -> None:
    names = ["Letters!", "letters", "Letters 2", "Letters?", "手紙", "書簡"]
    slugs = [create_project(name, [Named("person")]).slug for name in names]
    assert slugs == ["letters", "letters-2", "letters-2-2", "letters-3", "project", "project-2"]


@pytest.mark.django_db
def test_the_newest_threshold_of_the_serving_version_and_method_counts() -> None:
    project = factories.make_project()
    old = factories.make_version(project, tau=0.9)
    new = factories.make_version(project, tau=0.5)
    new.thresholds.create(method="entropy", tau=0.7)
    new.thresholds.create(method=project.method, tau=0.3)
    old.thresholds.create(method=project.method, tau=0.1)
    assert project.threshold().tau == 0.3
    project.method = "entropy"
    assert project.threshold().tau == 0.7


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "O"])
def test_the_database_refuses_label_names_that_cannot_be(name: str) -> None:
    project = factories.make_project()
    with pytest.raises(IntegrityError), transaction.atomic():
        Label.objects.create(project=project, name=name, position=9)

"""Making projects: with labels, from the page, the command line or the demo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.db import transaction

from mlworker import schema

from .models import Label, Membership, Project, User

_NAME = re.compile(r"\S([\S ]{0,62}\S)?")
UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no database keeps (NUL, half a surrogate pair), and other control characters."""


def create_project(
    name: str, labels: Sequence[schema.Label], *, owner: User | None = None, **fields: Any
) -> Project:
    """A new project with its labels; `owner` becomes its first member. `fields` are further
    fields of `Project`. Raises `ValidationError` with what to change."""
    check_labels(labels)
    with transaction.atomic():
        project = Project(name=name.strip(), **fields)
        project.full_clean(exclude=["slug"])
        project.save()
        Label.objects.bulk_create(
            Label(project=project, name=label.name, description=label.description, position=at)
            for at, label in enumerate(labels)
        )
        if owner is not None:
            Membership.objects.create(project=project, user=owner, role=Membership.Role.OWNER)
    return project


def check_labels(labels: Sequence[schema.Label]) -> None:
    """Raises `ValidationError` for no label, an unusable name, or two names alike."""
    if not labels:
        raise ValidationError("A project needs at least one label.")
    seen: dict[str, str] = {}
    for label in labels:
        if not _NAME.fullmatch(label.name):
            raise ValidationError(f"“{label.name:.70}” cannot be a label's name (1–64 characters).")
        if UNSTORABLE.search(label.name + label.description):
            raise ValidationError(f"The label {label.name!a:.70} holds a control character.")
        if label.name == schema.NO_ENTITY:
            raise ValidationError("“O” means “not an entity” and cannot be a label.")
        twin = seen.setdefault(label.name.casefold(), label.name)
        if twin is not label.name:
            raise ValidationError(f"The labels “{twin}” and “{label.name}” are too alike.")


def read_labels(text: str, filename: str = "labels") -> list[schema.Label]:
    """Labels from YAML or JSON: a list of `name` and `description`, or of names.

    Raises `ValidationError` naming the file and the entry.
    """
    try:
        entries = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: the 32nd of May
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ValidationError(f"{filename}{line}: this is neither YAML nor JSON.") from error
    if not isinstance(entries, list):
        raise ValidationError(f"{filename}: expected a list of labels (name, description).")
    labels = [_label(entry, number, filename) for number, entry in enumerate(entries, 1)]
    check_labels(labels)
    return labels


def read_label_file(path: Path) -> list[schema.Label]:
    try:
        return read_labels(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise ValidationError(f"{path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValidationError(f"{path.name}: not UTF-8 at byte {error.start}.") from error


def _label(entry: Any, number: int, filename: str) -> schema.Label:
    if isinstance(entry, str):
        return schema.Label(entry)
    if isinstance(entry, dict) and isinstance(entry.get("name"), str):
        description = entry.get("description") or ""
        if isinstance(description, str):
            return schema.Label(entry["name"], " ".join(description.split()))
    raise ValidationError(
        f"{filename}: entry {number} is no label ({entry!r:.60}); give a name and a description."
    )

"""What would be put to an LLM twice in the same words is sent once, and its answer copied.

Retweets and boilerplate bring the same question, or the same sentence, into several documents of
a project. Such twins have the same `fingerprint`. A copy names the request that brought the answer,
so the ledger has none of its own for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from .asked import Asked
from .models import Project
from .models.asking import AskedQuerySet

ROWS = 500
"""Rows in one statement."""


def fingerprint(project: Project, to: Asked, *sent: object) -> str:
    """Of what is `sent` (JSON values), in which project, and to whom."""
    said = json.dumps([project.pk, to.provider, to.model, to.prompt_version, *sent])
    return hashlib.sha256(said.encode()).hexdigest()


def one_of_each(fingerprints: Iterable[tuple[int, str]]) -> list[int]:
    """Of ids with their fingerprints, the first of each, in their order."""
    first: dict[str, int] = {}
    for pk, found in fingerprints:
        first.setdefault(found, pk)
    return list(first.values())


def alike(rows: AskedQuerySet) -> list[Any]:
    """These rows and all twins of theirs, locked until the transaction ends: always in the same
    order, so that two that answer twins at once do not wait for each other."""
    same = rows.model.objects.filter(fingerprint__in=rows.values("fingerprint"))
    # Not their keys: suggestions that another transaction makes may refer to them.
    return list(same.select_for_update(no_key=True).order_by("pk"))


def is_among(rows: AskedQuerySet) -> Exists:
    """For a query of the same model: a row, or a twin of it, is one of `rows`."""
    return Exists(rows.filter(fingerprint=OuterRef("fingerprint")))


def copy(answers: Iterable[Any], rows: Sequence[Any]) -> None:
    """Has those of `rows` without an answer take over what became of their twin in `answers`."""
    given = {row.fingerprint: row for row in answers}
    for row in rows:
        twin = given.get(row.fingerprint, row)
        if twin is not row and not row.is_answered:
            row.take(twin)


def save(rows: Sequence[Any]) -> set[int]:
    """Saves what was said of these rows; returns their documents."""
    if rows:
        type(rows[0]).objects.bulk_update(rows, type(rows[0]).ANSWER, batch_size=ROWS)
    return {row.document_id for row in rows}


@transaction.atomic
def settle(rows: AskedQuerySet) -> set[int]:
    """Gives those of `rows` that wait for an answer a twin's, where there is one; returns the
    documents that this concerns."""
    answered = rows.model.objects.answered().filter(fingerprint=OuterRef("fingerprint"))
    found = alike(rows.waiting().filter(Exists(answered)))
    missing = [row for row in found if not row.is_answered]
    copy([row for row in found if row.is_answered], missing)
    return save(missing)


@transaction.atomic
def explain(rows: AskedQuerySet, reason: str) -> set[int]:
    """Says of those of `rows` that wait, and of their twins, why they still do; returns their
    documents."""
    waiting = [row for row in alike(rows.waiting()) if not row.is_answered]
    for row in waiting:
        row.reason = reason[:300]
    return save(waiting)

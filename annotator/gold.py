"""Gold as files: the only thing that training and evaluation read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Prefetch
from django.utils import timezone

from mlworker import schema

from .models import Document, Mention, Project

HELD_OUT_EVERY = 5
"""One of how many reviewed documents is held out."""


def split_of(sha256: str) -> str:
    """The split of a reviewed document: settled by its text, so that a text that comes twice is
    never on both sides."""
    held_out = int(sha256[:8], 16) % HELD_OUT_EVERY == 0
    return Document.Split.DEV if held_out else Document.Split.TRAIN


def mentions_of(document: Document) -> set[schema.Mention]:
    """The gold mentions of a gold document (prefetch `mentions__label` for many)."""
    return {
        schema.Mention(m.start, m.end, m.label.name)
        for m in document.mentions.all()
        if m.state == Mention.State.ACCEPTED
    }


def as_text(document: Document, *, gold: bool = False) -> schema.Text:
    """A document, its project at hand, as the ML core sees it."""
    mentions = sorted(mentions_of(document)) if gold else []
    language = document.project.language
    return schema.Text(document.pk, document.text, document.tokens, mentions, language)


def documents(project: Project, *splits: str) -> Iterator[Document]:
    """The gold documents of these splits, with their mentions, read piece by piece."""
    accepted = Mention.objects.accepted().select_related("label")
    chosen = Document.objects.gold().filter(project=project, split__in=splits)
    chosen = chosen.select_related("project")
    yield from chosen.prefetch_related(Prefetch("mentions", accepted)).iterator(chunk_size=500)


def export(project: Project, name: str) -> datetime:
    """Writes training and held-out gold to `name` below the storage root, as JSON lines of
    `schema.Text` with a `split`; returns as of when."""
    now = timezone.now()
    rows = (
        json.dumps(as_text(d, gold=True).to_json() | {"split": d.split}, ensure_ascii=False)
        for d in documents(project, Document.Split.TRAIN, Document.Split.DEV)
    )
    default_storage.delete(name)
    default_storage.save(name, ContentFile("\n".join(rows).encode()))
    return now

"""The mentions of one document while decisions are carried out: changed in memory, written once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from .decisions import Name, Refused, Stale
from .models import Document, Label, Mention, Prediction
from .prepared import Prepared

Image = dict[str, Any]
"""A mention as `Mention.image`."""
Change = list[Image | None]
"""`[before, after]` of a mention; null where there was none."""
ROWS = 500
"""Mentions in one statement, whose cost grows faster than their number."""
_SPAN = ("start", "end", "label_id")
_MENTIONS: Prepared[Mention] = Prepared(
    lambda document: Mention.objects.filter(document=document).order_by()
)
_PREDICTIONS: Prepared[Prediction] = Prepared(
    lambda document: (
        Prediction.objects.filter(mentions__document=document)
        .defer("probabilities", "nearest")
        .order_by()
    )
)
_LABELS: Prepared[Label] = Prepared(
    lambda project: Label.objects.filter(project=project).order_by()
)


class Markup:
    """All mentions of `document`, which whoever means to `write` has locked, and the labels of its
    project."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._rows = sorted(_MENTIONS(document=document.pk), key=place)
        predictions = {found.pk: found for found in _PREDICTIONS(document=document.pk)}
        for mention in self._rows:
            mention.document = document
            mention.prediction = predictions.get(mention.prediction_id or 0)
        self._ids = {row.pk for row in self._rows}
        """Of those that the database has."""
        self._labels: dict[str, Label] | None = None
        self._stored: dict[int, Image] = {}
        """As they are in the database, of those touched that are there, by id."""
        self._new: list[tuple[Mention, Image]] = []
        """Images of mentions that have no id yet."""
        self._changes: list[Change] = []
        self.touched: set[int] = set()
        """The ids of all that were changed, came or went; of new ones once they are written."""

    def __iter__(self) -> Iterator[Mention]:
        return iter(self._rows)

    @property
    def labels(self) -> dict[str, Label]:
        if self._labels is None:
            labels = _LABELS(project=self.document.project_id)
            self._labels = {label.name: label for label in labels}
        return self._labels

    def label(self, name: str | None) -> Label:
        found = self.labels.get(name or "")
        if found is None:
            raise Refused(f"This project has no label “{name or ''}”.")
        return found

    def words(self, start: int, end: int) -> str:
        """The text of a span, shortened where it is long, for messages."""
        words = self.document.text[start:end]
        return words if len(words) <= 60 else f"{words[:59]}…"

    def told(self, mention: Mention | Image) -> str:
        """What a mention is called in messages: “Oslo” (place)."""
        image = mention.image() if isinstance(mention, Mention) else mention
        names = {label.pk: label.name for label in self.labels.values()}
        words = self.words(image["start"], image["end"])
        return f"“{words}” ({names.get(image['label_id'], 'a label that is gone')})"

    # --- Finding ------------------------------------------------------------------------------
    def find(self, wanted: int | Name | None) -> Mention:
        """Raises `Stale` where there is no mention of this id, `Refused` where none is so."""
        if not isinstance(wanted, Name):
            mention = self.by_id(wanted)
            if mention is None:
                raise Stale(self.document.version)
            return mention
        key = (wanted.start, wanted.end, self.label(wanted.label).pk)
        found = next((mention for mention in self._rows if mention.key == key), None)
        if found is None:
            words = self.words(wanted.start, wanted.end)
            raise Refused(
                f"“{words}” ({wanted.label}) is not in this document any more. Add it if you still "
                "want it."
            )
        return found

    def by_id(self, pk: int | None) -> Mention | None:
        return next((m for m in self._rows if m.pk == pk), None) if pk else None

    def within(self, start: int, end: int) -> list[Mention]:
        """Those that overlap a span."""
        return [row for row in self._rows if row.start < end and start < row.end]

    # --- Changing -----------------------------------------------------------------------------
    def put(self, mention: Mention, **fields: Any) -> None:
        """Gives `mention` these fields; one that is not here yet comes in."""
        is_here = any(mention is row for row in self._rows)
        before = self._image(mention) if is_here else None
        for name, value in fields.items():
            setattr(mention, name, value)
        if not is_here:
            self._rows.append(mention)
        if before is None or (before["start"], before["end"]) != (mention.start, mention.end):
            mention.take_form(self.document.text)
        self._changes.append([before, self._image(mention)])

    def drop(self, mention: Mention) -> None:
        if _is_new(mention):  # what is to come back one day needs an id
            self.write()
        self._changes.append([self._image(mention), None])
        self._rows = [row for row in self._rows if row is not mention]

    def _image(self, mention: Mention) -> Image:
        image = mention.image()
        if _is_new(mention):
            self._new.append((mention, image))
        elif mention.pk not in self.touched:
            self.touched.add(mention.pk)
            if mention.pk in self._ids:
                self._stored[mention.pk] = image
        return image

    def take_changes(self) -> list[Change]:
        """What happened since this was last asked; ids of new mentions follow with `write`."""
        taken, self._changes = self._changes, []
        return taken

    # --- Writing ------------------------------------------------------------------------------
    def write(self) -> None:
        """Brings the database to where this is. What gets another span or label goes and comes
        back with its id, so that two may change places."""
        here = {row.pk: row for row in self._rows if row.pk in self.touched}
        moved = [pk for pk, row in here.items() if self._moved(row)]
        gone = [pk for pk in self._stored if pk not in here]
        changed = [
            row
            for pk, row in here.items()
            if pk in self._stored and pk not in moved and row.image() != self._stored[pk]
        ]
        if gone or moved:
            Mention.objects.filter(pk__in=[*gone, *moved]).delete()
        self._update(changed)
        coming = [row for row in self._rows if self._is_missing(row)]
        Mention.objects.bulk_create([*coming, *(here[pk] for pk in moved)], batch_size=ROWS)
        self._settle()

    def _moved(self, row: Mention) -> bool:
        stored = self._stored.get(row.pk)
        return stored is not None and any(stored[name] != getattr(row, name) for name in _SPAN)

    def _is_missing(self, row: Mention) -> bool:
        return row.pk not in self._ids

    def _update(self, rows: list[Mention]) -> None:
        """All that become the same in one statement: a submit has one or two of these, and a
        `bulk_update` would take as long as everything else."""
        alike: defaultdict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
        for row in rows:
            stored = self._stored[row.pk]
            fresh = ((name, value) for name, value in row.image().items() if stored[name] != value)
            alike[tuple(fresh)].append(row.pk)
        for new, pks in alike.items():
            for first in range(0, len(pks), ROWS):
                Mention.objects.filter(pk__in=pks[first : first + ROWS]).update(**dict(new))

    def _settle(self) -> None:
        for mention, image in self._new:
            image["id"] = mention.pk
            self.touched.add(mention.pk)
        self._new = []
        here = {row.pk: row for row in self._rows}
        self._ids = set(here)
        self._stored = {pk: here[pk].image() for pk in self.touched if pk in here}


def place(mention: Mention) -> tuple[int, int, int]:
    """Orders mentions as a text is read, the longer first where two begin together."""
    return mention.start, -mention.end, mention.pk


def _is_new(row: Any) -> bool:
    """Whether it has no id yet."""
    return row.pk is None

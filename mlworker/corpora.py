"""Files of gold sentences: CoNLL columns or SpanNER's JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from mlworker import conll, spanner_json
from mlworker.schema import Label, Text

JSON = re.compile(r"\s*\[\s*[{\]]")
"""How SpanNER's JSON begins; a word "[" of CoNLL columns has its tag after it."""

SUFFIXES = (".conll", ".json")
SPANNER = "spanner"
"""The code of SpanNER and LinkNER expects files named spanner.train, spanner.dev, …"""


def read(path: Path) -> list[Text]:
    """The sentences of `path`, in either format; `ValueError` says where it is broken."""
    content = decode(path)
    parse = spanner_json.parse if path.suffix == ".json" or JSON.match(content) else conll.parse
    texts = parse(content, str(path))
    if not texts:
        raise ValueError(f"{path}: there is no sentence in it")
    return texts


def decode(path: Path) -> str:
    """The file's UTF-8, without a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8: {error}") from error


def labels(texts: Iterable[Text]) -> tuple[str, ...]:
    """The labels of all mentions, sorted."""
    return tuple(sorted({m.label for text in texts for m in text.mentions}))


def described(folder: Path, names: Iterable[str]) -> list[Label]:
    """Labels with the descriptions that `labels.yaml` in the corpus folder has for them; those of
    `names` alone where there is none. Raises `ValueError` where the file is broken."""
    path = folder / "labels.yaml"
    if not path.exists():
        return [Label(name) for name in names]
    try:
        rows = yaml.safe_load(decode(path))
        return [Label(str(row["name"]), str(row.get("description", ""))) for row in rows]
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: not a list of name and description: {error}") from error


def split(path: Path) -> str | None:
    """The split that a corpus file holds by its name, None where it is no corpus file.

    `train.conll` and `train.json` are named by their stem, `spanner.train` by its suffix.
    """
    if path.suffix in SUFFIXES:
        return path.stem
    return path.suffix[1:] if path.stem == SPANNER else None


def splits(folder: Path) -> dict[str, Path]:
    """The corpus files in `folder` by split: `train` and `dev`, all others are test sets."""
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    return {name: path for path in files if (name := split(path))}

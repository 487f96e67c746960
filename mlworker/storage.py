"""Where files lie that web and workers share. Messages carry paths below this root."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit


def root() -> Path:
    """The folder named by `STORAGE_URL` (file:///folder), by default `DATA_DIR`/storage."""
    url = os.environ.get("STORAGE_URL", "")
    if not url:
        return (Path(os.environ.get("DATA_DIR", "data")) / "storage").resolve()
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise ValueError(f"STORAGE_URL must be file:///folder, not {url!r}")
    return Path(unquote(parts.path)).resolve()


def resolve(path: str) -> Path:
    """`path` below the root; it need not exist.

    Raises `ValueError` where it is absolute or leaves the root, through a link too.
    """
    base = root()
    target = (base / path).resolve()
    inside = target != base and target.is_relative_to(base)
    if Path(path).is_absolute() or not inside:
        raise ValueError(f"not a path below the storage root: {path!r}")
    return target

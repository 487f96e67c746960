"""The signing key: made at first start and kept in the data folder."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def read_or_make(path: Path) -> str:
    """The key in `path`; a new one, readable by its owner alone, where there is none yet.

    Processes may start at once: the key is written beside and linked into place, so that exactly
    one of them wins and none reads half a key.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, beside = tempfile.mkstemp(dir=path.parent)  # mode 0600
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            os.link(beside, path)
        Path(beside).unlink()
    return path.read_text(encoding="ascii")

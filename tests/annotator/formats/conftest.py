"""How the tests of this folder see a refusal: as the message that a user reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator import formats

Refusal = Callable[..., str]


@pytest.fixture
def refusal() -> Refusal:
    """The message with which `parse` refuses a file."""

    def refuse(name: str, data: bytes | str, filename: str = "corpus", **options: Any) -> str:
        raw = data.encode() if isinstance(data, str) else data
        with pytest.raises(formats.FormatError) as caught:
            formats.parse(name, raw, filename=filename, **options)
        message = str(caught.value)
        message.encode()  # fit for a page, a log and a database
        return message

    return refuse

"""A server of recorded LLM answers for the length of a bench, on a port of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = "replay_server.py"


@contextmanager
def replayed(folder: Path) -> Iterator[None]:
    """While inside, the provider `openai` finds the server that `folder` holds, which answers from
    the recordings (`*.jsonl`) beside it. Raises `ValueError` where it does not start."""
    recordings = [f"--cassette={path}" for path in sorted(folder.glob("*.jsonl"))]
    command = [sys.executable, str(folder / SERVER), *recordings, "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            _, found, address = line.rstrip().rpartition("http://")
            if not found:
                raise ValueError(f"{folder / SERVER} did not start")
            settings = {
                "LLM_BASE_URL": f"http://{address}",
                "LLM_MODEL": "replay",
                "LLM_API_KEY": "replay",
            }
            before = {name: os.environ.get(name) for name in settings}
            os.environ.update(settings)
            yield
        finally:
            server.terminate()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value

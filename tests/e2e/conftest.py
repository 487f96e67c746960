"""A Spanlight of the test's own: `make run`'s processes on a new data folder and a free port."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ops.processes import (
    ROOT,
    free_port,
    processes_with,
    started,
    wait_for_line,
    wait_until,
)

SETTINGS_OF_THE_DEVELOPER = {"REDIS_URL", "DATABASE_URL", "STORAGE_URL", "LLM_BASE_URL"}


@dataclass
class Spanlight:
    folder: Path
    port: int
    settings: dict[str, str]

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in SETTINGS_OF_THE_DEVELOPER}
        return kept | self.settings | {"DATA_DIR": str(self.data_dir), "PORT": str(self.port)}

    def manage(self, *arguments: str) -> str:
        """What `manage.py` with these arguments says on stdout."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def ask(self, question: str, *values: object) -> Any:
        """The first column of the first row that the database answers."""
        with contextlib.closing(sqlite3.connect(self.data_dir / "spanlight.sqlite3")) as database:
            row = database.execute(question, values).fetchone()
        return row[0] if row else None

    def job_ended(self, kind: str, number: int = 1) -> bool:
        """Whether the project's `number`-th job of this kind is done; fails where it failed."""
        question = "SELECT state FROM annotator_job WHERE kind = ? ORDER BY id LIMIT 1 OFFSET ?"
        state = self.ask(question, kind, number - 1)
        assert state in (None, "running", "done"), f"{kind} job {number} ended {state}"
        return bool(state == "done")

    def workers(self, queue: str) -> list[int]:
        running = processes_with("DATA_DIR", str(self.data_dir))
        return [pid for pid, command in running.items() if f"--queues {queue} " in command]

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Started as by `make run`; gives the one-time sign-in link, or "" where there is none."""
        log = self.folder / "console.log"
        with started([sys.executable, "-m", "webapp.run"], self.environment, log) as starter:
            wait_for_line(log, "Ctrl-C stops it.", starter)
            link = re.search(r"^http://\S+/sign-in/\S+$", log.read_text(), re.MULTILINE)
            yield link.group() if link else ""
            starter.terminate()
            starter.wait(60)
            wait_until(lambda: not processes_with("DATA_DIR", str(self.data_dir)), "the end", 30)


@pytest.fixture
def spanlight(tmp_path: Path) -> Iterator[Spanlight]:
    site = Spanlight(tmp_path, free_port(), {"SWEEP_SECONDS": "1"})
    yield site
    for pid in processes_with("DATA_DIR", str(site.data_dir)):
        os.kill(pid, 9)

"""What is measured: a server on data of its own, and people who work there."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.bench import server
from webapp.bench.client import Annotator
from webapp.bench.server import Server, python


@dataclass(frozen=True)
class Effort:
    """How much is done to measure it: documents of everybody before anything is measured, of one
    alone, and of each of all in each of several rounds (200 of eight, as of the other tools),
    decisions whose fsyncs are counted, loads of a page, and times that keys are pressed."""

    warm_up: int = 5
    alone: int = 100
    each: int = 25
    rounds: int = 3
    synced: int = 50
    loads: int = 5
    presses: int = 20


@dataclass(frozen=True)
class Site:
    """A running server, what was filled in (`filling.Filled`), and its annotators, signed in."""

    server: Server
    filled: dict[str, Any]
    people: list[Annotator]

    @property
    def queue(self) -> str:
        """The slug of the project with the many documents."""
        return str(self.filled["queue"])

    def address(self, project: str, document: int) -> str:
        """The page of a document of `filled[project]`."""
        return f"/projects/{self.filled[project]}/documents/{document}/"


@contextlib.contextmanager
def opened(data: Path, documents: int, database_url: str = "") -> Iterator[Site]:
    """A site of `documents` documents with the texts of `data`, in a temporary folder, and in the
    empty database where one is given. Raises `server.Failed`."""
    with tempfile.TemporaryDirectory(prefix="spanlight-bench-") as folder:
        environ = server.environment(Path(folder), database_url)
        python(environ, "manage.py", "migrate", "--no-input", "--verbosity", "0")
        python(environ, "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
        said = python(environ, "-m", "webapp.bench.filling", str(data.resolve()), str(documents))
        filled = json.loads(said)
        with server.running(environ) as process:
            people = [Annotator(process.port) for _ in filled["annotators"]]
            for person, name in zip(people, filled["annotators"], strict=True):
                person.sign_in(name, filled["password"])
            yield Site(process, filled, people)
            for person in people:
                person.close()

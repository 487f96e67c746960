"""The web process as `make run` starts it, on a data folder of its own; what it uses meanwhile."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from webapp import supervision, tether
from webapp.bench.client import HOST, Annotator

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
SECONDS_TO_START = 60
SYNC = re.compile(r"\bf(?:data)?sync\(")


class Failed(Exception):
    """The server cannot be started; the message says why."""


def environment(folder: Path, database_url: str = "") -> dict[str, str]:
    """Settings for a server on `folder`, on SQLite there where no database is given. They go
    before those of `.env`, so that no data but the bench's own is touched."""
    given = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url or f"sqlite:///{folder / 'spanlight.sqlite3'}",
        "STATIC_ROOT": str(folder / "static"),
        "STORAGE_URL": "",
        "REDIS_URL": "redis://127.0.0.1:1/0",  # nothing here sends a message
        "ALLOWED_HOSTS": HOST,
        "DEBUG": "0",
        "HTTPS": "0",
        "PORT": str(_free_port()),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        tether.PARENT: str(os.getpid()),
    }
    return {**os.environ, **given}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def python(environ: Mapping[str, str], *arguments: str) -> str:
    """Runs this Python to its end and returns what it prints; its errors reach the console. Raises
    `Failed` where it fails."""
    command = [sys.executable, *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=False
    )
    if ended.returncode:
        raise Failed(f"{' '.join(arguments)} failed")
    return ended.stdout


class Server:
    """The processes of the running server; `port` is where it answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def processes(self) -> list[int]:
        """gunicorn's own process and its workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, path.read_text().split())]

    def cpu_seconds(self) -> float:
        """Processor time that all of them have used so far."""
        return sum(map(_cpu_seconds, self.processes()))

    def syncs(self, work: Callable[[], object]) -> int | None:
        """How often they asked for data to be on disk during `work`; None where that cannot be
        seen: there is no strace, or it may not look."""
        if shutil.which("strace") is None:
            return None
        command = ["strace", "-f", "-e", "trace=fsync,fdatasync"]
        command += [word for pid in self.processes() for word in ("-p", str(pid))]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        if tracer.stderr is None or "attached" not in tracer.stderr.readline():
            tracer.wait()
            return None
        time.sleep(1)  # strace does not say when it has attached to every thread
        work()
        tracer.terminate()
        _, seen = tracer.communicate()
        return len(SYNC.findall(seen))


def _cpu_seconds(pid: int) -> float:
    # The name, second of the fields, is in brackets and may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / TICKS


@contextlib.contextmanager
def running(environ: Mapping[str, str]) -> Iterator[Server]:
    """The web process of the Procfile, which answers; it ends with the context."""
    command = supervision.read_procfile(ROOT / "Procfile")["web"]
    log = Path(environ["DATA_DIR"]) / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*supervision.TETHER, "SIGTERM", *command],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, int(environ["PORT"]))
    try:
        _await(server, log)
        yield server
    finally:
        process.terminate()
        process.wait()


def _await(server: Server, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while server.process.poll() is None and time.monotonic() < deadline:
        visitor = Annotator(server.port)
        with contextlib.suppress(OSError):
            visitor.call("GET", "/healthz")
            return
        visitor.close()
        time.sleep(0.1)
    raise Failed(f"the web process does not answer:\n{log.read_text(errors='replace')[-2000:]}")

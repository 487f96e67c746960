"""`make run` as a person and a terminal use it: start, faults, stop, start again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.processes import (
    ROOT,
    free_port,
    processes_with,
    started,
    wait_for_line,
    wait_until,
)

pytestmark = pytest.mark.slow

PROCESSES = {
    "redis": "redis-server",
    "web": "gunicorn",
    "default": "--queues default",
    "gpu": "--queues gpu",
    "llm": "--queues llm",
    "beat": " beat ",
}
STARTER = (sys.executable, "-m", "webapp.run")
STOPPED_WITHIN = 40  # seconds: ten for a task at work, the rest for a busy machine


class Site:
    """A data folder and a port of one test's own."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.port = free_port()
        self.log = folder / "console.log"

    @property
    def environment(self) -> dict[str, str]:
        given = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port)}
        unset = {"REDIS_URL", "DATABASE_URL", "STORAGE_URL"}
        return {name: value for name, value in os.environ.items() if name not in unset} | given

    def processes(self) -> dict[int, str]:
        return processes_with("DATA_DIR", str(self.data_dir))

    def of(self, name: str) -> list[int]:
        """The ids of the processes that do `name`'s work."""
        return [pid for pid, command in self.processes().items() if PROCESSES[name] in command]

    def refusal(self, **changes: str) -> str:
        """What a start that must be refused says."""
        ended = subprocess.run(
            STARTER,
            cwd=ROOT,
            env=self.environment | changes,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 1
        return ended.stderr

    def healthy(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as answer:
            return bool(answer.status == 200)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    for pid in site.processes():
        os.kill(pid, signal.SIGKILL)


def test_it_starts_heals_stops_and_continues(site: Site, tmp_path: Path) -> None:
    with started(STARTER, site.environment, site.log) as starter:
        wait_for_line(site.log, "Ctrl-C stops it.", starter)
        assert site.healthy()
        assert_private_and_complete(site)
        assert_refuses_a_second(site, tmp_path)
        assert_restarts(site, "gpu")
        assert_restarts(site, "redis")
        starter.terminate()
        assert starter.wait(STOPPED_WITHIN) == 0
        assert site.processes() == {}
    first_console, key = site.log.read_text(), (site.data_dir / "secret_key").read_text()
    assert re.search(rf"^http://127\.0\.0\.1:{site.port}/sign-in/\S+$", first_console, re.M)

    with started(STARTER, site.environment, site.log) as starter:
        wait_for_line(site.log, "Ctrl-C stops it.", starter)
        assert "/sign-in/" not in site.log.read_text(), "a second start made a second admin"
        assert (site.data_dir / "secret_key").read_text() == key
        # What a terminal does on Ctrl-C: the signal goes to the whole process group.
        os.killpg(starter.pid, signal.SIGINT)
        assert starter.wait(STOPPED_WITHIN) == 0
        assert site.processes() == {}


def assert_private_and_complete(site: Site) -> None:
    for folder in (site.data_dir, site.data_dir / "run", site.data_dir / "logs"):
        assert folder.stat().st_mode & 0o077 == 0, f"{folder} can be read by others"
    for name in PROCESSES:
        assert site.of(name), f"{name} does not run"
    assert (site.data_dir / "run" / "redis.sock").is_socket()


def assert_refuses_a_second(site: Site, tmp_path: Path) -> None:
    assert "already running" in site.refusal(PORT=str(free_port()))
    busy = site.refusal(DATA_DIR=str(tmp_path / "other"))
    assert re.match(rf"Port {site.port} is in use by \S+ \(process \d+\)", busy)
    assert f"PORT={site.port + 1}" in busy
    assert "PORT must be a number" in site.refusal(PORT="http")


def assert_restarts(site: Site, name: str) -> None:
    (old,) = site.of(name)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: set(site.of(name)) - {old}, f"a new {name}")
    said = f"{name} ended (terminated by SIGKILL) and is started again; see "
    wait_until(lambda: said in site.log.read_text(), f"a word on {name}'s end")


def test_make_run_ends_with_make(site: Site) -> None:
    if not (ROOT / ".venv" / ".installed").exists():
        pytest.skip("`make setup` has not run here, and this test installs nothing")
    with started(["make", "run"], site.environment, site.log) as make:
        wait_for_line(site.log, "Ctrl-C stops it.", make)
        make.terminate()
        make.wait(STOPPED_WITHIN)
        assert site.processes() == {}


def test_nothing_survives_a_killed_supervisor_or_starter(site: Site) -> None:
    for victim, outcome in (("supervisord", 1), ("starter", -signal.SIGKILL)):
        with started(STARTER, site.environment, site.log) as starter:
            wait_until(lambda: site.of("beat"), "the processes")
            supervisord = int((site.data_dir / "run" / "supervisord.pid").read_text())
            os.kill(starter.pid if victim == "starter" else supervisord, signal.SIGKILL)
            assert starter.wait(STOPPED_WITHIN) == outcome
            wait_until(lambda: not site.processes(), f"nothing after {victim}", STOPPED_WITHIN)

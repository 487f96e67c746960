"""supervisord, which keeps `make run`'s processes running, and what it has to say."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

# A worker that imports torch is up within this many seconds; one that ends sooner is in a crash
# loop, and is started again after a pause that grows by a second each time.
SECONDS_TO_SETTLE = 10
SECONDS_TO_STOP = 10
TETHER = (sys.executable, "-m", "webapp.tether")

Groups = dict[str, dict[str, list[str]]]
"""Groups of processes by name, each with its processes' commands by name."""

SUPERVISORD = """\
[supervisord]
nodaemon=true
logfile={logs}/supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
pidfile={run}/supervisord.pid
childlogdir={logs}
"""
# A group's programs are stopped together, and groups one after the other, the lowest priority last.
GROUP = """
[group:{name}]
programs={programs}
priority={priority}
"""
PROGRAM = """
[program:{name}]
command={command}
autorestart=true
startsecs={settle}
startretries=1000000
stopsignal=TERM
stopwaitsecs={stop}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=2
"""


def read_procfile(path: Path) -> dict[str, list[str]]:
    """The processes a Procfile names and their commands, in its order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    named = (line.split(":", 1) for line in lines if line.strip())
    return {name: shlex.split(command) for name, command in named}


def configuration(groups: Groups, run_dir: Path, logs: Path) -> str:
    """supervisord's configuration: groups of processes start in order and stop in reverse."""
    parts = [SUPERVISORD.format(run=literal(run_dir), logs=literal(logs))]
    for priority, (group, processes) in enumerate(groups.items(), start=1):
        parts.append(GROUP.format(name=group, programs=",".join(processes), priority=priority))
        parts += [program(name, command, logs) for name, command in processes.items()]
    return "".join(parts)


def program(name: str, command: list[str], logs: Path) -> str:
    """One process's section; the process is tied to supervisord's life."""
    return PROGRAM.format(
        name=name,
        command=literal(shlex.join([*TETHER, "SIGKILL", *command])),
        settle=SECONDS_TO_SETTLE,
        stop=SECONDS_TO_STOP,
        log=literal(literal(logs / f"{name}.log")),  # supervisord replaces variables here twice
    )


def literal(value: str | Path) -> str:
    """`value` as it must stand in the configuration, where % begins a variable."""
    return str(value).replace("%", "%%")


@contextlib.contextmanager
def supervisord(groups: Groups, run_dir: Path, logs: Path) -> Iterator[subprocess.Popen[str]]:
    """supervisord keeping `groups` of processes running; all of them end with the context."""
    file = run_dir / "supervisord.conf"
    file.write_text(configuration(groups, run_dir, logs), encoding="utf-8")
    console = Console(logs)
    process = subprocess.Popen(
        [*TETHER, "SIGTERM", sys.executable, "-m", "supervisor.supervisord", "-c", str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that Ctrl-C reaches only the one who then ends supervisord
    )
    threading.Thread(target=console.follow, args=(process.stdout,), daemon=True).start()
    try:
        yield process
    finally:
        console.stop(announce=process.poll() is None)
        process.terminate()
        process.wait()


def say(line: str) -> None:
    """One line on the console, at once, even where that is a file or a pipe."""
    print(line, flush=True)


class Console:
    """Turns supervisord's log into a line for each event that a person wants to know of."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.ended: set[str] = set()
        self.stopping = False

    def stop(self, *, announce: bool) -> None:
        """Say no more, but for the announcement of the end."""
        self.stopping = True
        if announce:
            say(f"Stopping; what is at work now has {SECONDS_TO_STOP} seconds to finish.")

    def follow(self, log: Iterable[str]) -> None:
        for line in log:
            if not self.stopping and (event := self.event(line)):
                say(event)

    def event(self, line: str) -> str | None:
        """What to say about one line of supervisord's log; None where it is of no interest."""
        if match := re.search(r"exited: (\S+) \((.+); (?:not )?expected\)", line):
            name, how = match.groups()
            self.ended.add(name)
            return f"{name} ended ({how}) and is started again; see {self.logs / name}.log"
        if (match := re.search(r"success: (\S+) ", line)) and match[1] in self.ended:
            self.ended.remove(match[1])
            return f"{match[1]} is running again"
        if "spawnerr:" in line or "CRIT Can't" in line:
            return line.strip()
        return None

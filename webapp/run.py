"""python -m webapp.run (`make run`): everything Spanlight needs, until Ctrl-C.

Prepares the data folder and the database, starts the processes of the Procfile (and a Redis of
its own where REDIS_URL names none) under supervisord, and says where the page is once it answers.
"""

from __future__ import annotations

import contextlib
import fcntl
import http
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import environ

from webapp import embedded_redis, ports, supervision, tether
from webapp.supervision import TETHER, say

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Refusal(Exception):
    """Why Spanlight cannot run, in words for the person who typed `make run`."""


class Stopped(BaseException):
    """A signal asked for the end."""


def main() -> int:
    os.chdir(ROOT)
    environ.Env.read_env(ROOT / ".env")
    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    try:
        run()
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except Stopped:
        say("Stopped.")
    return 0


def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # once is enough: the end is under way
    raise Stopped


def run() -> None:
    port = chosen_port()
    data_dir = Path(os.environ.get("DATA_DIR") or "data").resolve()
    run_dir, logs = data_dir / "run", data_dir / "logs"
    for folder in (data_dir, run_dir, logs):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with only_one(run_dir / "lock", data_dir, port):
        if problem := ports.problem(HOST, port):
            raise Refusal(f"Port {port} is {problem}. Choose another: make run PORT={port + 1}")
        os.environ["DATA_DIR"] = str(data_dir)
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        os.environ["PYTHONUNBUFFERED"] = "1"
        os.environ[tether.PARENT] = str(os.getpid())
        say("Preparing the database")
        manage("migrate", "--no-input", "--verbosity", "0")
        manage("collectstatic", "--no-input", "--verbosity", "0")
        groups = {"spanlight": supervision.read_procfile(ROOT / "Procfile")}
        with embedded_redis.socket_path(run_dir) as socket:
            embedded = not os.environ.get("REDIS_URL")
            if embedded:
                os.environ["REDIS_URL"] = f"unix://{socket}"
                groups = {"redis": {"redis": redis_command(socket)}} | groups
            say(f"Starting {', '.join(name for group in groups.values() for name in group)}")
            with supervision.supervisord(groups, run_dir, logs) as supervisord:
                wait_for(lambda: not embedded or embedded_redis.answers(socket), supervisord)
                link = manage("first_start")
                wait_for(lambda: page_answers(port), supervisord)
                announce(data_dir, port, link)
                supervisord.wait()
        raise Refusal(f"The supervisor ended by itself; see {logs / 'supervisord.log'}")


def chosen_port() -> int:
    given = os.environ.setdefault("PORT", "8000")
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise Refusal(f"PORT must be a number from 1 to 65535, not {given!r}.")
    return int(given)


@contextlib.contextmanager
def only_one(path: Path, data_dir: Path, port: int) -> Iterator[None]:
    """Hold the lock at `path`; raises `Refusal` where another `make run` holds it."""
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Refusal(
                f"Spanlight is already running on {data_dir} ({file.read().strip()}). Stop it "
                "first, or give this one data and a port of its own: make run DATA_DIR=… PORT=…"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, http://{HOST}:{port}/\n")
        file.flush()
        yield


def redis_command(socket: Path) -> list[str]:
    executable = embedded_redis.executable()
    if executable is None:
        raise Refusal(
            "Spanlight needs a Redis: install redis-server or valkey-server, or set REDIS_URL. "
            "(Under Python 3.11 and 3.12 one comes along.)"
        )
    return embedded_redis.command(executable, socket)


def manage(*arguments: str) -> str:
    """Run manage.py and return what it prints; its errors reach the console."""
    command = [*TETHER, "SIGKILL", sys.executable, "manage.py", *arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise Refusal(f"manage.py {arguments[0]} failed, so Spanlight does not start.")
    return ended.stdout.strip()


def wait_for(ready: Callable[[], bool], supervisord: subprocess.Popen[str]) -> None:
    """Return when `ready` says so, or when the supervisor is gone and waiting is of no use."""
    while not ready() and supervisord.poll() is None:
        time.sleep(0.1)


def page_answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except OSError:
        return False
    finally:
        connection.close()


def announce(data_dir: Path, port: int, link: str) -> None:
    """Say where the page is, in a frame; `link` signs the first admin in, at first start only."""
    lines = [f"Spanlight is running at http://{HOST}:{port}/"]
    if link:
        lines += ["", "Sign in with this link, which works once:", link]
    else:
        python = f"DATA_DIR={data_dir} PORT={port} .venv/bin/python"
        lines += ["", "For a new sign-in link:", f"{python} manage.py sign_in_link admin"]
    lines += ["", "Ctrl-C stops it."]
    rule = "-" * max(map(len, lines))
    say("\n".join(["", rule, *lines, rule, ""]))


if __name__ == "__main__":
    sys.exit(main())

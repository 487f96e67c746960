"""docker-compose.yml without Docker: its form, its secrets, and each service's command for real."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ops.processes import ROOT, free_port, started, wait_for_line
from webapp.supervision import read_procfile

FILE = ROOT / "docker-compose.yml"
SECRETS = {"POSTGRES_PASSWORD": "from-dot-env", "SECRET_KEY": "k" * 50}
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::-([^}]*)|:\?([^}]*))\}")
READY = {
    "prepare": "/sign-in/",
    "web": "Booting worker",
    "worker-default": " ready.",
    "worker-gpu": " ready.",
    "worker-llm": " ready.",
    "beat": "beat: Starting...",
}


class Unset(Exception):
    """A variable that the file requires and nobody gave."""


def interpolate(text: str, variables: dict[str, str]) -> str:
    """`text` with its ${…} replaced as docker compose does; raises `Unset`."""

    def value(match: re.Match[str]) -> str:
        name, default, message = match.groups()
        if name is None:
            return "$"
        if variables.get(name):
            return variables[name]
        if message is not None:
            raise Unset(f"{name}: {message}")
        return str(default)

    return VARIABLE.sub(value, text)


def services(variables: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    text = interpolate(
        FILE.read_text(encoding="utf-8"), SECRETS if variables is None else variables
    )
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found


def test_it_keeps_the_compose_specification() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(FILE),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("secret", SECRETS)
def test_there_is_no_default_password(secret: str) -> None:
    others = {name: value for name, value in SECRETS.items() if name != secret}
    with pytest.raises(Unset, match=secret):
        services(others)


def test_only_those_who_need_a_secret_have_it() -> None:
    holders = {
        name: {key for key in service.get("environment", {}) if "KEY" in key or "DATABASE" in key}
        for name, service in services().items()
    }
    django, none = {"DATABASE_URL", "SECRET_KEY"}, frozenset[str]()
    assert holders == {
        **dict.fromkeys(("prepare", "web", "worker-default", "beat"), django),
        **dict.fromkeys(("worker-gpu", "worker-gpu-cuda", "postgres", "redis"), none),
        "worker-llm": {"LLM_API_KEY"},
    }


def test_services_run_what_make_run_runs() -> None:
    commands = {
        name: shlex.split(service["command"])
        for name, service in services().items()
        if name.startswith(("worker", "beat"))
    }
    procfile = read_procfile(ROOT / "Procfile")
    for service, process in (
        ("worker-default", "default"),
        ("worker-gpu", "gpu"),
        ("worker-gpu-cuda", "gpu"),
        ("worker-llm", "llm"),
        ("beat", "beat"),
    ):
        # Beside a web server on one machine, the GPU worker is the one that waits.
        assert commands[service] == [word for word in procfile[process] if word != "nice"]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
def test_each_command_becomes_ready(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    for name, line in READY.items():
        service = services()[name]
        environment = here(service["environment"], tmp_path, postgres_url, redis_url)
        command = service["command"].replace("0.0.0.0:8000", f"127.0.0.1:{free_port()}")
        log = tmp_path / f"{name}.log"
        with started(shlex.split(command), environment, log) as process:
            wait_for_line(log, line, process)
            if name == "prepare":
                assert process.wait(60) == 0
                continue
            process.terminate()
            assert process.wait(60) in {0, -15}, log.read_text()[-2000:]


def here(
    environment: dict[str, Any], folder: Path, postgres_url: str, redis_url: str
) -> dict[str, str]:
    """A service's environment and nothing more, with this machine's servers and folders."""
    places = {
        "postgres://spanlight:from-dot-env@postgres:5432/spanlight": postgres_url,
        "redis://redis:6379/0": redis_url,
        "file:///data/storage": f"file://{folder}/storage",
    }
    # An empty value is interpolated before the YAML is read here, and so read as null.
    given = {name: "" if value is None else str(value) for name, value in environment.items()}
    moved = {name: places.get(value, value) for name, value in given.items()}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return moved | {"PATH": path, "DATA_DIR": str(folder), "HOME": str(folder)}

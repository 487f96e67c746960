"""The lines that no module may cross: who imports whom, and calls that appear nowhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("annotator", "mlworker", "webapp")
HEAVY = ("torch", "transformers", "openai")

FORBIDDEN_CALLS = {
    "mark_safe": "markup in a text would run in the reader's browser",
    "torch.load": "a checkpoint could carry code",
    "csrf_exempt": "another site could act for the person",
}
FORBIDDEN_MODULES = {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve"}
FORBIDDEN_KEYWORDS = {"shell": True, "trust_remote_code": True}
MANAGERS = {"objects", "_default_manager", "_base_manager"}
FORBIDDEN_MARKUP = {
    "templates": re.compile(
        r"\|\s*safe\b|autoescape off|\son\w+\s*=|<script(?![^>]*\bsrc=)|\sstyle="
    ),
    "static": re.compile(r"\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\("),
}


def sources() -> list[Path]:
    return sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def test_imports_keep_the_contracts() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_web_process_loads_no_ml_library(tmp_path: Path) -> None:
    # The graph that import-linter reads does not see what a library imports; Python does.
    code = (
        "import django, sys; django.setup(); import webapp.urls, webapp.wsgi, webapp.celery\n"
        "from django.urls import get_resolver; get_resolver().reverse_dict\n"
        f"print(*({{*{HEAVY}}} & sys.modules.keys()))"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "DATA_DIR": str(tmp_path),
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == []


def test_what_pages_share_with_workers_needs_the_standard_library_alone() -> None:
    shared = "mlworker.schema, mlworker.evidence, mlworker.fusion, mlworker.llm.prompt"
    code = f"import {shared}, sys; print(*sys.modules)"
    command = [sys.executable, "-S", "-c", code]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert loaded <= sys.stdlib_module_names | {"mlworker", "__main__"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_forbidden_call(path: Path) -> None:
    assert list(forbidden(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "from django.utils.safestring import mark_safe",
        "import torch\ntorch.load('weights.pt')",
        "from torch import load",
        "import pickle",
        "from joblib import dump",
        "subprocess.run('ls', shell=True)",
        "Model.from_pretrained(name, trust_remote_code=True)",
        "from django.views.decorators.csrf import csrf_exempt\n@csrf_exempt\ndef view(): ...",
    ],
)
def test_forbidden_call_is_found(source: str) -> None:
    assert list(forbidden(source)) != []


def forbidden(source: str) -> Iterator[str]:
    """What `source` uses of the forbidden modules, names and keywords, each with its line."""
    for node in ast.walk(ast.parse(source)):
        for name in names(node):
            if name.split(".")[0] in FORBIDDEN_MODULES or ends_in_forbidden_call(name):
                yield f"line {getattr(node, 'lineno', '?')}: {name}"
        if isinstance(node, ast.keyword) and node.arg in FORBIDDEN_KEYWORDS:
            yield f"line {node.lineno}: {node.arg}="


def names(node: ast.AST) -> list[str]:
    """The dotted names that `node` imports or reads, `torch.load` for `from torch import load`."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return [f"{node.module}.{alias.name}" for alias in node.names]
        case ast.Attribute() | ast.Name():
            return [ast.unparse(node)]
    return []


def ends_in_forbidden_call(name: str) -> bool:
    return any(name == call or name.endswith(f".{call}") for call in FORBIDDEN_CALLS)


@pytest.mark.parametrize("folder", FORBIDDEN_MARKUP)
def test_no_forbidden_markup(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".html", ".js"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FORBIDDEN_MARKUP[folder].search(line)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["annotator/views", "annotator/api"])
def test_views_reach_rows_through_the_person_who_asks(folder: str) -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{row}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for row in unscoped(path.read_text(encoding="utf-8"))
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("source", "rows"),
    [
        ("Document.objects.get(pk=1)", 1),
        ("Document._default_manager.all()", 1),
        ("get_object_or_404(Document.objects, pk=1)", 1),
        ("Document.objects.for_user(user).get(pk=1)", 0),
        ("Prefetch('mentions', Mention.objects.order_by('start'))", 0),
    ],
)
def test_unscoped_query_is_found(source: str, rows: int) -> None:
    assert len(list(unscoped(source))) == rows


def unscoped(source: str) -> Iterator[str]:
    """Where `source` reads a model's rows otherwise than by `.objects.for_user(…)`, `managed_by` or
    in a `Prefetch`, whose rows belong to rows that were reached so."""
    tree = ast.parse(source)
    allowed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"for_user", "managed_by"}:
            allowed.add(node.value)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Prefetch":
            allowed |= {inner for argument in node.args for inner in ast.walk(argument)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in MANAGERS and node not in allowed:
            yield f"{node.lineno}: {ast.unparse(node)}"

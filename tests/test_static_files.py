"""Static files as they are served: each under a name that changes with what it holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `collectstatic` fills, by the settings of the product."""
    data = tmp_path_factory.mktemp("data")
    environment = os.environ | {"DATA_DIR": str(data), "STATIC_ROOT": str(data / "static")}
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return data / "static"


def test_modules_import_one_another_under_the_names_that_the_manifest_gives(
    collected: Path,
) -> None:
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    imported: dict[str, list[str]] = {}
    for source in sorted((ROOT / "static").glob("*.js")):
        found = re.findall(r'from "\./(.+?)"', source.read_text())
        served = re.findall(r'from "\./(.+?)"', (collected / names[source.name]).read_text())
        assert served == [names[name] for name in found]
        imported[source.name] = served
    assert imported["annotate.js"]
    assert all(HASHED.search(name) for served in imported.values() for name in served)

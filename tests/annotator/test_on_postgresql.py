"""The tests that tell one database from another, run once more on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = (
    "test_races.py",
    "test_corrections.py",
    "test_undoing.py",
    "test_queue_orders.py",
    "test_spending.py",
    "test_pace.py",
    "test_prompts.py",
    "test_shots.py",
    "test_trying.py",
    "test_checked.py",
    "test_statement.py",
    "test_frontier.py",
    "test_views_ledger.py",
    "test_twins.py",
    "test_guidelines.py",
    "test_triage.py",
    "test_settling.py",
    "test_views_triage.py",
    "test_views_review.py",
    "test_prepared.py",
)


@pytest.mark.postgres
@pytest.mark.slow
def test_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--create-db"]
    environment = os.environ | {"DATABASE_URL": postgres_url, "DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [*command, *(str(HERE / name) for name in FILES)],
        env=environment,
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout

"""Settings that only another environment shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ASK = """
import django
django.setup()
from django.test import Client
ask = Client()
print(ask.get("/healthz").status_code, ask.get("/").headers["Location"])
"""


def test_behind_tls_pages_lead_to_https_and_the_health_check_does_not(tmp_path: Path) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "DATA_DIR": str(tmp_path),
        "HTTPS": "true",
        "ALLOWED_HOSTS": "testserver",
        "STATIC_ROOT": str(tmp_path),
    }
    command = [sys.executable, "-c", ASK]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["200", "https://testserver/"], ended.stderr

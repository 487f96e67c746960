"""Peak memory of a process that only tags: `python -m mlworker.bench.memory MODEL FILE`."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

from mlworker import corpora, inference
from mlworker.schema import Method, TagRequest

STATUS = Path("/proc/self/status")
"""Where Linux says it. Its ru_maxrss will not do: a process starts with that of its parent."""


def peak(model: Path, file: Path) -> float:
    """MiB that a fresh process held at most while it tagged the texts of `file`."""
    command = [sys.executable, "-m", "mlworker.bench.memory", str(model), str(file)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(ended.stdout)


def main(model: str, file: str) -> None:
    texts = corpora.read(Path(file))
    inference.tag(model, texts, Method.LEAST_CONFIDENCE, TagRequest.candidates_per_100)
    print(_own_peak())


def _own_peak() -> float:
    if STATUS.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        if found:
            return int(found[1]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Write requirements*.txt from requirements*.in with uv (`make lock`; ARGS=--upgrade for newer).

Two things uv cannot say, both about `torch==2.13.0`, which is a CUDA build on PyPI and a CPU build
wherever pip's own configuration offers one:

- CUDA's packages (2 GB) belong to the CUDA build alone. They stand in a file of their own, which
  requirements.txt names as constraints: pins and hashes for whoever turns out to need them.
- Given hashes, pip prefers a file whose index shows one of them over a newer version, so over the
  CPU build in a plain folder. An index shows SHA-256; so the one CUDA build that competes with the
  CPU build is listed by its SHA-512. pip then takes the CPU build where there is one (2.13.0+cpu
  counts as newer than 2.13.0), and checks either.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CUDA = re.compile(r"(cuda|nvidia)-|triton=")
# torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
CPU_BUILD = "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
# torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl, as uv writes it and as it is to be listed
CUDA_BUILD = "sha256:60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7"
CUDA_BUILD_LISTED = (
    "sha512:6674fc7a026fd2336757e707497f0b30e9c49fb60184cc8acae48cc60374b8ce"
    "3221f2a4324277a9053a4ae05078aa7eaa33fcab8ec7763f252c6fa2d56b60eb"
)
HEADER = "# Written by `make lock`; edit the requirements*.in instead.\n"
CONSTRAINTS = "-c requirements-cuda.txt\n"
CUDA_HEADER = """\
# What torch needs on Linux unless it is a CPU build. pip 26 reads it as requirements.txt's
# constraints; an older pip is given both (-r requirements.txt -r requirements-cuda.txt).
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "uv"], check=True)
        everything = compile_pins(Path(folder), "requirements")
        base = ["--constraint", f"{folder}/requirements.txt"]
        web = compile_pins(Path(folder), "requirements-web", *base)
        dev = compile_pins(Path(folder), "requirements-dev", *base)
    cuda = [pin for pin in everything if CUDA.match(pin)]
    write("requirements-cuda", HEADER + CUDA_HEADER, cuda)
    write("requirements-web", HEADER, web)
    write("requirements", HEADER + CONSTRAINTS, without_cuda(everything))
    write("requirements-dev", HEADER + CONSTRAINTS, without_cuda(dev))


def compile_pins(folder: Path, name: str, *options: str) -> list[str]:
    """What `name`.in comes to: one block of lines per pin, with its hashes and where it is from."""
    output = folder / f"{name}.txt"
    # uv keeps the versions, and the hashes, that it finds in its output file.
    locked = [*ROOT.glob(f"{name}.txt"), *ROOT.glob("requirements-cuda.txt")]
    pins = [
        line for path in locked for line in re.findall(r"^\w.*==.*(?= \\$)", path.read_text(), re.M)
    ]
    output.write_text("\n".join(pins), encoding="utf-8")
    command = [f"{folder}/bin/uv", "pip", "compile", f"{name}.in", "--output-file", str(output)]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header"]
    command += ["--quiet", "--annotation-style", "line", *options, *sys.argv[1:]]
    subprocess.run(command, cwd=ROOT, check=True)
    text = output.read_text(encoding="utf-8").replace(f"{folder}/", "")
    return re.findall(r"^\w.*\n(?:[ ]+.*\n)*", text, re.M)


def without_cuda(pins: list[str]) -> list[str]:
    """`pins` without CUDA's packages, and with the CPU build's hash at torch."""
    if not any(CUDA_BUILD in pin for pin in pins):
        sys.exit("torch has a new version: bring the hashes at the top of .ci/lock.py up to date.")
    both = f"{CPU_BUILD} \\\n    --hash={CUDA_BUILD_LISTED}"
    return [pin.replace(CUDA_BUILD, both) for pin in pins if not CUDA.match(pin)]


def write(name: str, header: str, pins: list[str]) -> None:
    (ROOT / f"{name}.txt").write_text(header + "".join(pins), encoding="utf-8")


if __name__ == "__main__":
    main()

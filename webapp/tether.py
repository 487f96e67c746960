"""python -m webapp.tether SIGNAL COMMAND…: run COMMAND, and send it SIGNAL when its parent dies.

So that no process outlives `make run`, even one whose supervisor was killed. Linux alone offers
this; elsewhere the command just runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
# The id of the process that starts tethered ones, in its environment and so in theirs.
PARENT = "SPANLIGHT_PARENT"


def main() -> None:
    name, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.Signals[name])
        # The parent may have died before the line above.
        if os.getppid() != int(os.environ[PARENT]):
            sys.exit(f"not started: process {os.environ[PARENT]} has ended")
    os.environ[PARENT] = str(os.getpid())  # which COMMAND keeps
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()

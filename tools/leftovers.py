"""Which processes a run left behind: those that carry its FAIRWEATHER_RUN and are not its parents.

Exit status 1 where there are any; each is named and ended. Needs Linux's /proc.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

NAME = "FAIRWEATHER_RUN"


def main() -> int:
    mark = f"{NAME}={os.environ[NAME]}".encode()
    left = [process for process in carrying(mark) if process not in ancestors()]
    for process in left:
        command = (Path("/proc") / str(process) / "cmdline").read_bytes().replace(b"\0", b" ")
        print(f"left behind: {process} {command.decode(errors='replace')[:200]}", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return 1 if left else 0


def carrying(mark: bytes) -> list[int]:
    """Processes that were started with this in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def ancestors() -> set[int]:
    """This process and those that wait for it."""
    found, process = set(), os.getpid()
    while process > 1:
        found.add(process)
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rsplit(")", maxsplit=1)[1].split()[1])
    return found


if __name__ == "__main__":
    sys.exit(main())

"""What a table of figures says about itself: command, machine, date."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime


def told(program: str, what: str) -> str:
    """One line: figures without their machine and day say little."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{cores} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"python benchmarks/{program}: {what}; {machine}, {datetime.now(UTC):%Y-%m-%d}"

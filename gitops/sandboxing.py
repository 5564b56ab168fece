"""`fairweather sandbox`: the embedded clouds by hand."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from pathlib import Path

from gitops import engine
from sandbox import lifecycle
from tools.locate import locate

DEFAULT_HOME = ".sandbox"


def sandbox(options: Namespace) -> int:
    """Start, show or stop the sandbox of `options.home`."""
    home = options.home or options.root / DEFAULT_HOME
    match options.action:
        case "start":
            started(home)
            print(
                f'ready. Point a shell at it with: eval "$(fairweather sandbox env --home {home})"'
            )
        case "env":
            for name, value in engine.environment(home).items():
                print(f"export {name}={shlex.quote(value)}")
        case "status":
            status = lifecycle.status(home)
            print(json.dumps(status.to_dict(), indent=1) if options.json else status.text())
            return 0 if status.running else 1
        case "stop":
            lifecycle.stop(home)
            print("stopped")
    return 0


def started(home: Path) -> None:
    """Start the sandbox unless it runs, telling on standard error how it goes."""
    if not lifecycle.status(home).running:
        lifecycle.start(
            home, locate().kubernetes_binaries, progress=lambda line: print(line, file=sys.stderr)
        )

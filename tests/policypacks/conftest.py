"""The pack's own modules by their plain names, as in its own process, and what its tests share."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent.parent / "policypacks" / "guardrails", HERE):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

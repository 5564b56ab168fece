"""The pack's own modules by their plain names, as in its own process, and ways to write resources down."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACK = HERE.parent.parent / "policypacks" / "guardrails"
for folder in (str(PACK), str(HERE)):
    if folder not in sys.path:
        sys.path.insert(0, folder)

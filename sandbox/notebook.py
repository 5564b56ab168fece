"""A JSON file of objects that survives a restart: for what no emulator holds."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any


class Notebook:
    """{id: properties}, written to the file at every change."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._pages: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, key: str) -> dict[str, Any] | None:
        return self._pages.get(key)

    def put(self, key: str, page: dict[str, Any] | None) -> None:
        """Write a page down, or tear it out."""
        with self._lock:  # the engine calls from many threads
            self._pages.pop(key, None)
            if page is not None:
                self._pages[key] = page
            draft = self._path.with_suffix(".new")
            draft.write_text(json.dumps(self._pages, indent=1, sort_keys=True))
            os.replace(draft, self._path)

    def items(self) -> list[tuple[str, dict[str, Any]]]:
        return sorted(self._pages.items())

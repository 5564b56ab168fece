"""Objects written down, for what no emulator holds: a journal that survives a restart and a kill."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

Page = dict[str, Any]


def read(path: Path) -> dict[str, Page]:
    """What a journal says now: {key: properties}. A last line that a kill tore is left out."""
    pages: dict[str, Page] = {}
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    for line in lines:
        if line.endswith("\n"):
            key, page = json.loads(line)
            pages.pop(key, None)
            if page is not None:
                pages[key] = page
    return pages


class Notebook:
    """{key: properties}; each change appends one line, and opening it leaves out what is gone."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._pages = read(path)
        draft = path.with_suffix(".new")
        draft.write_text("".join(map(line, self._pages.items())))
        draft.replace(path)

    def get(self, key: str) -> Page | None:
        return self._pages.get(key)

    def put(self, key: str, page: Page | None) -> None:
        """Write a page down, or tear it out (None)."""
        with self._lock:  # the engine calls from many threads
            self._pages.pop(key, None)
            if page is not None:
                self._pages[key] = page
            with self._path.open("a") as file:
                file.write(line((key, page)))


def line(entry: tuple[str, Page | None]) -> str:
    return json.dumps(entry, sort_keys=True) + "\n"

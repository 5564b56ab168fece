"""Copies of the checkout that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = (
    "Pulumi.yaml",
    "__main__.py",
    "components",
    "stacks",
    "models",
    "policypacks",
    "examples",
)
COMMAND = ("finops", "forecasting", "gitops", "sandbox", "tools")
"""What the command line needs beside the program."""


def copied(folder: Path, *parts: str) -> Path:
    """Put these parts of the working tree, and its virtual environment, into a folder."""
    for part in parts:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    # The engine looks for the virtual environment that Pulumi.yaml names.
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder

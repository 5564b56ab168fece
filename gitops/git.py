"""Git by its own command line: the few verbs the loop needs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

BOT = ("-c", "user.name=fairweather", "-c", "user.email=fairweather@users.noreply.github.com")


class GitError(RuntimeError):
    """Git said no; the text is git's own last line and the command."""


def git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    """Run one git command in `folder` and return what it printed; raise GitError with its reason."""
    done = subprocess.run(
        ("git", *arguments), cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise GitError(f"git {arguments[0]} in {folder}: {said[-1]}")
    return done.stdout.rstrip("\n")


def message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """A commit message whose last paragraph is trailers, as `git interpret-trailers` reads them."""
    lines = "\n".join(f"{key}: {value}" for key, value in trailers.items())
    return "\n\n".join(part for part in (subject, body.strip(), lines) if part) + "\n"


def commit(folder: Path, paths: Sequence[Path], text: str) -> str:
    """Commit exactly `paths` as the bot and return the commit's id."""
    names = [str(path) for path in paths]
    git(folder, "add", "--", *names)
    git(
        folder,
        *BOT,
        "commit",
        "--quiet",
        "--cleanup=verbatim",
        "--file=-",
        "--",
        *names,
        stdin=text,
    )
    return git(folder, "rev-parse", "HEAD")


def trailers(folder: Path, commit_id: str = "HEAD") -> dict[str, str]:
    """The trailers of a commit."""
    text = git(folder, "log", "-1", "--format=%(trailers:only,unfold)", commit_id)
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def is_dirty(folder: Path) -> bool:
    return bool(git(folder, "status", "--porcelain", "--untracked-files=no"))

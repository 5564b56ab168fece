"""Git by its own command line: the few verbs the loop needs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

EMAIL = "fairweather@users.noreply.github.com"
# A person's key signs what that person made.
BOT = ("-c", "user.name=fairweather", "-c", f"user.email={EMAIL}", "-c", "commit.gpgSign=false")
# A person's hooks are for that person's work, and their taste must not change what we read and send.
OURS = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "log.showSignature=false"),
    *("-c", "push.followTags=false"),
    *("-c", "push.gpgSign=false"),
)
PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
# A git that asks for a password would wait for ever; one that is called from a hook carries
# variables that point it at another repository.
QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


class GitError(RuntimeError):
    """Git said no; the text is the command and git's own reason."""


def git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    """Run one git command in `folder` and return what it printed; raise GitError with its reason."""
    own = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    try:
        done = subprocess.run(
            ("git", *OURS, *arguments),
            cwd=folder,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env={**own, **QUIET},
        )
    except FileNotFoundError as error:
        missing = f"git is not on PATH, or {folder} is not there"
        raise GitError(f"{missing}; install git, or name the checkout with --root") from error
    if done.returncode:
        raise GitError(f"git {verb(arguments)} in {folder}: {reason(done.stderr or done.stdout)}")
    return done.stdout.rstrip("\n")


def verb(arguments: Sequence[str]) -> str:
    """`commit` of `-c user.name=… commit --quiet`."""
    words = iter(arguments)
    for word in words:
        if word != "-c":
            return word
        next(words)
    return ""


def reason(said: str) -> str:
    """The line of a failed git command that says why, without the password of an address."""
    lines = [PASSWORD.sub("", line.strip()) for line in said.splitlines() if line.strip()]
    for beginning in ("! [", "fatal:", "error:"):
        for line in lines:
            if line.startswith(beginning):
                return line.removeprefix("! ")
    return lines[-1] if lines else "no reason given"


def message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """A commit message whose last paragraph is trailers, as `git interpret-trailers` reads them."""
    lines = "\n".join(f"{key}: {' '.join(value.split())}" for key, value in trailers.items())
    return "\n\n".join(part for part in (subject, body.strip(), lines) if part) + "\n"


def commit(folder: Path, paths: Sequence[Path], text: str) -> str:
    """Commit exactly `paths` as the bot and return the commit's id."""
    names = [str(path) for path in paths]
    git(folder, "add", "--", *names)
    verbatim = ("--quiet", "--cleanup=verbatim", "--file=-", "--", *names)
    git(folder, *BOT, "commit", *verbatim, stdin=text)
    return git(folder, "rev-parse", "HEAD")


def trailers(folder: Path, commit_id: str = "HEAD") -> dict[str, str]:
    """The trailers of a commit."""
    text = git(folder, "log", "-1", "--format=%(trailers:only,unfold)", commit_id)
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def is_dirty(folder: Path) -> bool:
    return bool(git(folder, "status", "--porcelain", "--untracked-files=no"))


def tip(folder: Path, branch: str, remote: str | None = None) -> str | None:
    """The commit that a branch stands at, here or on `remote` (then fetched), or None without one."""
    head = f"refs/heads/{branch}"
    if remote is None:
        return git(folder, "for-each-ref", "--format=%(objectname)", head) or None
    if not git(folder, "ls-remote", remote, head):
        return None
    return fetch(folder, remote, branch)


def fetch(folder: Path, remote: str, branch: str) -> str:
    """Bring `remote`'s branch up to date here and return its commit."""
    there = f"refs/remotes/{remote}/{branch}"
    git(folder, "fetch", "--quiet", "--no-tags", remote, f"+refs/heads/{branch}:{there}")
    return git(folder, "rev-parse", there)


def by_others(folder: Path, base: str, branch: str) -> list[str]:
    """`8be21d0 by ada@example.com` for what people put on the bot's branch; merges of the base apart."""
    log = ("log", "--no-merges", "--format=%h by %ae", f"{base}..{branch}")
    return [line for line in git(folder, *log).splitlines() if not line.endswith(f" by {EMAIL}")]

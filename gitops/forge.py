"""Pull requests over GitHub's REST API (docs.github.com/rest, version 2022-11-28), with the token that Actions gives.

`GITHUB_REPOSITORY` and `GITHUB_TOKEN` name the repository and the right to write; `GITHUB_API_URL` another server.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

LIMIT_CHARACTERS = 64_000
"""GitHub takes 65,536; what is longer is cut at the end, where the details are."""
TIMEOUT_SECONDS = 30


class ForgeError(RuntimeError):
    """GitHub refused; the text is its own message."""


@dataclass(frozen=True)
class Forge:
    """One repository."""

    url: str
    repository: str
    token: str

    @classmethod
    def from_environment(cls) -> Forge | None:
        """The repository this runs for, or None outside a CI that says so."""
        repository, token = os.environ.get("GITHUB_REPOSITORY"), os.environ.get("GITHUB_TOKEN")
        if not repository or not token:
            return None
        return cls(os.environ.get("GITHUB_API_URL", "https://api.github.com"), repository, token)

    def open_or_update(self, branch: str, base: str, title: str, body: str) -> str:
        """The one pull request of `branch`: made, or brought up to date. Returns its address."""
        owner = self.repository.split("/")[0]
        text = {"title": title, "body": shortened(body)}
        found = self._ask("GET", f"pulls?state=open&head={owner}:{branch}&base={base}")
        if found:
            return str(self._ask("PATCH", f"pulls/{found[0]['number']}", text)["html_url"])
        return str(self._ask("POST", "pulls", {**text, "head": branch, "base": base})["html_url"])

    def _ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/repos/{self.repository}/{path}",
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            try:
                said = json.loads(said)["message"]
            except (ValueError, KeyError, TypeError):
                said = said[:200]
            raise ForgeError(f"{verb} {path} of {self.repository}: {error.code} {said}") from error
        except urllib.error.URLError as error:
            raise ForgeError(f"{self.url} cannot be reached: {error.reason}") from error


def shortened(text: str) -> str:
    """At most what the forge takes; the summary stands first, so the end goes."""
    if len(text) <= LIMIT_CHARACTERS:
        return text
    note = "\n\n… cut here; the rest is in the job's log.\n"
    return text[: LIMIT_CHARACTERS - len(note)] + note

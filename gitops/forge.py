"""Pull requests and their comments over GitHub's REST API, with the token that Actions gives.

docs.github.com/rest, version 2022-11-28. `GITHUB_REPOSITORY` and `GITHUB_TOKEN` name the repository
and the right to write; `GITHUB_API_URL` another server than github.com's.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

LIMIT_CHARACTERS = 64_000
"""GitHub takes 65,536; what is longer is cut at the end, where the details are."""
TIMEOUT_SECONDS = 30
PAGE = 100
MOST_PAGES = 50


class ForgeError(RuntimeError):
    """GitHub refused or was not reached; the text is one line, with its own message."""


@dataclass(frozen=True)
class PullRequest:
    """What the loop has to know of one."""

    number: int
    url: str
    commit: str
    """What its branch stood at."""
    state: Literal["open", "closed", "merged"]


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
        server = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
        return cls(server.rstrip("/"), repository, token)

    def latest(self, branch: str, base: str) -> PullRequest | None:
        """The open pull request of `branch`, else its latest one, else None."""
        head = f"{self.repository.split('/', maxsplit=1)[0]}:{branch}"
        wanted = {"state": "all", "head": head, "base": base, "sort": "created"}
        found = [
            pull_request(item)
            for item in self._listed(f"pulls?{urllib.parse.urlencode(wanted)}&direction=desc")
        ]
        return next((item for item in found if item.state == "open"), found[0] if found else None)

    def open_or_update(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        """The one open pull request of `branch`: made, or brought up to date."""
        text = {"title": title, "body": shortened(body, "the commit message")}
        known = self.latest(branch, base)
        if known is not None and known.state == "open":
            return pull_request(self._ask("PATCH", f"pulls/{known.number}", text))
        return pull_request(self._ask("POST", "pulls", {**text, "head": branch, "base": base}))

    def close(self, number: int) -> None:
        """Close a pull request without merging it."""
        self._ask("PATCH", f"pulls/{number}", {"state": "closed"})

    def comment(self, number: int, marker: str, text: str) -> str:
        """The one comment of ours that starts with `marker`: written, or edited. Returns its address.

        What others wrote is left alone, also where it starts with the marker.
        """
        body, me = {"body": shortened(text)}, self._login()
        for item in self._listed(f"issues/{number}/comments"):
            author = item.get("user") or {}
            ours = author.get("login") == me if me else author.get("type") == "Bot"
            if ours and (item.get("body") or "").startswith(marker):
                return str(self._ask("PATCH", f"issues/comments/{item['id']}", body)["html_url"])
        return str(self._ask("POST", f"issues/{number}/comments", body)["html_url"])

    def start(self, workflow: str, branch: str, inputs: Mapping[str, str]) -> None:
        """Run a workflow that has `workflow_dispatch`, as it stands on `branch`."""
        path = f"actions/workflows/{urllib.parse.quote(workflow)}/dispatches"
        self._ask("POST", path, {"ref": branch, "inputs": dict(inputs)})

    def _login(self) -> str | None:
        """Whose token this is; None for the one that Actions gives, which may not ask and is a bot's."""
        try:
            return str(self._ask("GET", "/user")["login"])
        except Refused:
            return None

    def _listed(self, path: str) -> Iterator[dict[str, Any]]:
        """Everything in a list that comes in pages."""
        joint = "&" if "?" in path else "?"
        for page in range(1, MOST_PAGES + 1):
            items = self._ask("GET", f"{path}{joint}per_page={PAGE}&page={page}")
            yield from items
            if len(items) < PAGE:
                return

    def _ask(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request; `path` is below the repository unless it starts with a slash."""
        below = path if path.startswith("/") else f"/repos/{self.repository}/{path}"
        what = f"{verb} {below.partition('?')[0]}"
        request = urllib.request.Request(
            self.url + below,
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "User-Agent": "fairweather",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                text = answer.read()
            return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(f"{self.url}: {what}: {error.code} {told(error)}") from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise ForgeError(f"{self.url} cannot be reached: {one_line(str(why))}") from error
        except ValueError as error:
            raise ForgeError(
                f"{self.url}: {what}: the answer is not JSON; is it a forge?"
            ) from error


class Refused(ForgeError):
    """GitHub answered, and said no."""


def pull_request(item: Mapping[str, Any]) -> PullRequest:
    state: Literal["open", "closed", "merged"] = "open"
    if item["state"] != "open":
        state = "merged" if item.get("merged_at") else "closed"
    return PullRequest(int(item["number"]), item["html_url"], item["head"]["sha"], state)


def told(error: urllib.error.HTTPError) -> str:
    """GitHub's own message with its details, in one line."""
    said = error.read().decode(errors="replace")
    try:
        answer = json.loads(said)
        details = [item.get("message") or item.get("code", "") for item in answer.get("errors", ())]
        said = ": ".join(filter(None, [answer["message"], ", ".join(filter(None, details))]))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return one_line(said) or str(error.reason)


def one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def shortened(text: str, rest: str = "the job's log") -> str:
    """At most what the forge takes; the summary stands first, so the end goes, by whole lines."""
    if len(text) <= LIMIT_CHARACTERS:
        return text
    note = f"\n\n… cut here; the rest is in {rest}.\n"
    end = "\n</details>"
    kept = text[: LIMIT_CHARACTERS - len(note) - len(end)]
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    inside = kept.count("<details>") > kept.count("</details>")
    return kept + (end if inside else "") + note

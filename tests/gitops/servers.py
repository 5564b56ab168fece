"""A Git server over HTTP and a forge in GitHub's shape, each in a thread of the test."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-test"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
BODY_LIMIT = 65_536
Reply = tuple[int, Any]


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The handler on a free port of this machine, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """The test tells what it finds; the server says nothing."""

    def body(self) -> bytes:
        """What was sent, also in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def git_server(folder: Path) -> Iterator[str]:
    """The repositories of `folder` over HTTP by `git http-backend`; pushing asks for the token."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            self.backend(b"")

        def do_POST(self) -> None:
            self.backend(self.body())

        def backend(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            given = self.headers.get("Authorization", "")
            known = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
            if "git-receive-pack" in self.path and given.lower() != f"basic {known}".lower():
                self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
                return
            environment = {
                **os.environ,
                "GIT_CONFIG_GLOBAL": os.devnull,  # the server is not the person's
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": urllib.parse.unquote(path),
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "bot",
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(
                ("git", "http-backend"),
                input=body,
                capture_output=True,
                env=environment,
                check=True,
            )
            head, _, rest = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            status = int(headers.pop("Status", "200").split()[0])
            self.answer(status, rest, headers)

    with serving(Handler) as url:
        yield url


@dataclass
class FakeForge:
    """What a forge keeps of one repository; heads are read from the bare repository itself."""

    bare: Path
    repository: str = "acme/fleet"
    url: str = ""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    started: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    user: dict[str, str] = field(default_factory=lambda: dict(BOT))
    refuse: tuple[int, bytes] | None = None
    """What every request gets instead."""

    def environment(self) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_TOKEN": TOKEN,
        }

    def head(self, branch: str) -> str | None:
        command = ("git", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        done = subprocess.run(command, cwd=self.bare, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None

    def shown(self, pull: dict[str, Any]) -> dict[str, Any]:
        head = {"ref": pull["head"], "sha": self.head(pull["head"]) or pull["sha"]}
        return {**pull, "head": head, "base": {"ref": pull["base"]}}

    def merge(self, number: int, base_commit: str) -> None:
        """What the forge notes when a person has merged; `base_commit` is where the base then is."""
        pull = self.pulls[number - 1]
        pull.update(state="closed", merged_at="2026-11-24T12:00:00Z", sha=self.head(pull["head"]))
        git = ("git", "update-ref", f"refs/heads/{pull['base']}", base_commit)
        subprocess.run(git, cwd=self.bare, check=True)

    def add_comment(self, body: str, user: dict[str, str], issue: int = 1) -> dict[str, Any]:
        number = len(self.comments) + 1
        url = f"https://forge.example/{self.repository}/pull/{issue}#issuecomment-{number}"
        made = {"id": number, "issue": issue, "body": body, "user": user, "html_url": url}
        self.comments.append(made)
        return made

    def reply(self, verb: str, path: str, query: dict[str, str], body: Any) -> Reply:
        """(status, JSON) for a request."""
        if path == "/user":
            bot = self.user["type"] == "Bot"
            refused = {"message": "Resource not accessible by integration"}
            return (403, refused) if bot else (200, self.user)
        if body and len(body.get("body", "")) > BODY_LIMIT:
            return 422, {
                "message": "Validation Failed",
                "errors": [{"message": "body is too long"}],
            }
        below = f"{verb} {path.removeprefix(f'/repos/{self.repository}/')}"
        for pattern, route in self.routes():
            if found := re.fullmatch(pattern, below):
                return route(*found.groups(), body or query)
        return 404, {"message": "Not Found"}

    def routes(self) -> list[tuple[str, Callable[..., Reply]]]:
        return [
            (r"GET pulls", self.listed_pulls),
            (r"POST pulls", self.opened),
            (r"PATCH pulls/(\d+)", self.edited_pull),
            (r"GET issues/(\d+)/comments", self.listed_comments),
            (r"POST issues/(\d+)/comments", self.commented),
            (r"PATCH issues/comments/(\d+)", self.edited_comment),
            (r"POST actions/workflows/([^/]+)/dispatches", self.dispatched),
        ]

    def listed_pulls(self, query: dict[str, str]) -> Reply:
        found = [self.shown(pull) for pull in reversed(self.pulls) if matches(pull, query)]
        return 200, page(found, query)

    def edited_pull(self, number: str, body: dict[str, str]) -> Reply:
        self.pulls[int(number) - 1].update(body)
        return 200, self.shown(self.pulls[int(number) - 1])

    def listed_comments(self, number: str, query: dict[str, str]) -> Reply:
        return 200, page([c for c in self.comments if c["issue"] == int(number)], query)

    def commented(self, number: str, body: dict[str, str]) -> Reply:
        return 201, self.add_comment(body["body"], self.user, int(number))

    def edited_comment(self, number: str, body: dict[str, str]) -> Reply:
        self.comments[int(number) - 1].update(body)
        return 200, self.comments[int(number) - 1]

    def dispatched(self, workflow: str, body: dict[str, Any]) -> Reply:
        if self.head(body["ref"]) is None:
            return 422, {"message": f"No ref found for: {body['ref']}"}
        self.started.append({"workflow": workflow, **body})
        return 204, None

    def opened(self, body: dict[str, str]) -> Reply:
        head, base = self.head(body["head"]), self.head(body["base"])
        problem = None
        if head is None:
            problem = {"field": "head", "code": "invalid"}
        elif head == base:
            problem = {"message": f"No commits between {body['base']} and {body['head']}"}
        elif any(p["head"] == body["head"] and p["state"] == "open" for p in self.pulls):
            problem = {"message": f"A pull request already exists for acme:{body['head']}."}
        if problem:
            return 422, {"message": "Validation Failed", "errors": [problem]}
        number = len(self.pulls) + 1
        url = f"https://forge.example/{self.repository}/pull/{number}"
        made = {**body, "number": number, "html_url": url, "state": "open", "sha": head}
        self.pulls.append({**made, "merged_at": None})
        return 201, self.shown(self.pulls[-1])


def matches(pull: dict[str, Any], query: dict[str, str]) -> bool:
    return (
        query["state"] in ("all", pull["state"])
        and query["head"] == f"acme:{pull['head']}"
        and query["base"] == pull["base"]
    )


def page(items: list[Any], query: dict[str, str]) -> list[Any]:
    size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
    return items[size * (number - 1) : size * number]


@contextmanager
def forge_server(forge: FakeForge) -> Iterator[FakeForge]:
    """The forge over HTTP; its `url` is set meanwhile."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            sent = self.body()
            forge.requests.append(f"{self.command} {self.path}")
            if forge.refuse is not None:
                status, text = forge.refuse
                self.answer(status, text, {})
                return
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                reply: Reply = (401, {"message": "Bad credentials"})
            else:
                words = dict(urllib.parse.parse_qsl(query))
                where = urllib.parse.unquote(path)
                reply = forge.reply(self.command, where, words, json.loads(sent or b"null"))
            status, told = reply
            text = b"" if told is None else json.dumps(told).encode()
            self.answer(status, text, {"Content-Type": "application/json"})

        def do_POST(self) -> None:
            self.do_GET()

        def do_PATCH(self) -> None:
            self.do_GET()

    with serving(Handler) as url:
        forge.url = url
        yield forge


def secrets_in(text: str) -> list[str]:
    """Places where the test's token shows."""
    return re.findall(rf".{{0,20}}{re.escape(TOKEN)}", text)

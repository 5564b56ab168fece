"""Pull requests and comments, against a forge in GitHub's shape."""

from __future__ import annotations

import socket
import threading

import pytest

from gitops.errors import in_one_line
from gitops.forge import LIMIT_CHARACTERS, Forge, ForgeError, shortened
from tests.gitops.conftest import git
from tests.gitops.servers import TOKEN

MARKER = "<!-- fairweather preview dev -->"


@pytest.fixture
def forge(workplace):
    git(workplace.clone, "push", "-q", "origin", "main:fairweather/other")
    git(workplace.clone, "checkout", "-q", "-b", "fairweather/dev")
    git(workplace.clone, "commit", "-q", "--allow-empty", "-m", "a proposal")
    git(workplace.clone, "push", "-q", "origin", "fairweather/dev")
    return workplace.forge


@pytest.fixture
def client(forge):
    return Forge(forge.url, forge.repository, TOKEN)


def test_outside_ci_there_is_no_forge(monkeypatch):
    assert Forge.from_environment() is None
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/fleet")
    assert Forge.from_environment() is None
    monkeypatch.setenv("GITHUB_TOKEN", "x")
    assert Forge.from_environment() == Forge("https://api.github.com", "acme/fleet", "x")
    monkeypatch.setenv("GITHUB_API_URL", "https://forge.example/api/v3/")
    assert Forge.from_environment() == Forge("https://forge.example/api/v3", "acme/fleet", "x")


def test_a_pull_request_is_opened_once_and_then_brought_up_to_date(forge, client):
    made = client.open_or_update("fairweather/dev", "main", "first", "body 1")
    again = client.open_or_update("fairweather/dev", "main", "second", "body 2")
    assert made.number == again.number == 1
    assert [(pull["title"], pull["body"]) for pull in forge.pulls] == [("second", "body 2")]
    assert made.commit == forge.head("fairweather/dev")


def test_a_closed_pull_request_is_not_opened_again_but_followed_by_a_new_one(forge, client):
    client.close(client.open_or_update("fairweather/dev", "main", "first", "").number)
    assert client.latest("fairweather/dev", "main").state == "closed"
    assert client.open_or_update("fairweather/dev", "main", "second", "").number == 2
    assert client.latest("fairweather/dev", "main").state == "open"


def test_a_merged_pull_request_is_told_from_a_closed_one(forge, client):
    client.open_or_update("fairweather/dev", "main", "first", "")
    forge.merge(1, forge.head("fairweather/dev"))
    assert client.latest("fairweather/dev", "main").state == "merged"


def test_branches_do_not_find_each_others_pull_requests(client):
    client.open_or_update("fairweather/dev", "main", "first", "")
    assert client.latest("fairweather/other", "main") is None
    assert client.latest("fairweather/dev", "release") is None


def test_one_comment_is_written_and_then_edited(forge, client):
    for text in ("blocked", "passes"):
        client.comment(1, MARKER, f"{MARKER}\n{text}")
    client.comment(2, MARKER, f"{MARKER}\nanother pull request")
    client.comment(1, "<!-- fairweather preview prod -->", "<!-- fairweather preview prod -->")
    told = [(c["issue"], c["body"].split("\n")[-1]) for c in forge.comments]
    assert told[:2] == [(1, "passes"), (2, "another pull request")]
    assert len(told) == 3


def test_the_comment_is_found_on_a_later_page(forge, client):
    for number in range(250):
        forge.add_comment(f"chatter {number}", {"login": "ada", "type": "User"})
    client.comment(1, MARKER, f"{MARKER}\nfirst")
    client.comment(1, MARKER, f"{MARKER}\nsecond")
    assert len(forge.comments) == 251
    assert forge.comments[-1]["body"] == f"{MARKER}\nsecond"


def test_a_comment_of_somebody_else_is_left_alone_whatever_it_starts_with(forge, client):
    forged = forge.add_comment(f"{MARKER}\nnot the bot's", {"login": "eve", "type": "User"})
    client.comment(1, MARKER, f"{MARKER}\nthe bot's")
    client.comment(1, MARKER, f"{MARKER}\nthe bot's, edited")
    assert forged["body"].endswith("not the bot's")
    assert [c["body"].split("\n")[-1] for c in forge.comments[1:]] == ["the bot's, edited"]


def test_a_persons_own_token_edits_that_persons_comment(forge, client):
    forge.user = {"login": "ada", "type": "User"}
    theirs = forge.add_comment(f"{MARKER}\na bot's", {"login": "other[bot]", "type": "Bot"})
    client.comment(1, MARKER, f"{MARKER}\nfirst")
    client.comment(1, MARKER, f"{MARKER}\nsecond")
    assert [c["body"].split("\n")[-1] for c in forge.comments] == ["a bot's", "second"]
    assert theirs["user"]["login"] == "other[bot]"


def test_a_workflow_is_started_on_a_branch(forge, client):
    client.start("preview.yml", "fairweather/dev", {"pull_request": "1"})
    wanted = {"workflow": "preview.yml", "ref": "fairweather/dev", "inputs": {"pull_request": "1"}}
    assert forge.started == [wanted]


def refused(client):
    with pytest.raises(ForgeError) as error:
        client.open_or_update("fairweather/dev", "main", "t", "b")
    told = in_one_line(error.value)
    assert told is not None
    assert "\n" not in told
    assert len(told) < 500
    assert TOKEN not in told
    return told


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            (403, b'{"message": "GitHub Actions is not permitted to create or approve pull requests."}'),
            "403 GitHub Actions is not permitted to create or approve pull requests.",
        ),
        (
            (422, b'{"message": "Validation Failed", "errors": [{"message": "No commits"}, {"code": "x"}]}'),
            "422 Validation Failed: No commits, x",
        ),
        ((422, b'{"message": "Validation Failed", "errors": ["odd"]}'), "422 {"),
        ((502, b"<html>\n<h1>Bad gateway</h1>\n" + b"x" * 9000), "502 <html> <h1>Bad gateway</h1>"),
        ((500, b""), "500 Internal Server Error"),
        ((200, b"<html>a login page</html>"), "the answer is not JSON"),
    ],
)  # fmt: skip
def test_what_the_forge_refuses_is_one_line(forge, client, answer, told):
    forge.refuse = answer
    assert told in refused(client)
    assert f"{forge.url}: GET /repos/acme/fleet/pulls" in refused(client)


def test_a_wrong_token_is_one_line(forge):
    assert "401 Bad credentials" in refused(Forge(forge.url, forge.repository, f"not-{TOKEN}"))


def test_a_pull_request_without_a_branch_says_why(forge):
    client = Forge(forge.url, forge.repository, TOKEN)
    with pytest.raises(ForgeError, match="422 Validation Failed: invalid"):
        client.open_or_update("fairweather/none", "main", "t", "b")
    with pytest.raises(ForgeError, match="No commits between main and fairweather/other"):
        client.open_or_update("fairweather/other", "main", "t", "b")


def test_a_forge_that_is_not_there_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert f"{url} cannot be reached: " in refused(Forge(url, "acme/fleet", TOKEN))


def test_a_forge_that_hangs_up_is_one_line():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.01)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def hang_up():
            listening.settimeout(5)
            taken, _ = listening.accept()
            taken.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        told = refused(Forge(url, "acme/fleet", TOKEN))
        thread.join()
    assert f"{url} cannot be reached: " in told


@pytest.mark.parametrize("line", ["x" * 200, "| a | b |", "<details><summary>s</summary>"])
def test_a_long_text_keeps_its_beginning_and_closes_what_it_opened(line):
    text = "the summary\n" + f"{line}\n" * (70_000 // len(line))
    short = shortened(text, "the log")
    assert short.startswith("the summary\n")
    assert short.endswith("the rest is in the log.\n")
    assert len(short) <= LIMIT_CHARACTERS
    assert set(short.splitlines()[1:-3]) == {line}


def test_a_text_that_fits_stays_as_it_is():
    assert shortened("x" * LIMIT_CHARACTERS) == "x" * LIMIT_CHARACTERS


def test_a_long_body_is_taken_by_the_forge(forge, client):
    client.open_or_update("fairweather/dev", "main", "t", "é🚀\n" * 60_000)
    assert len(forge.pulls[0]["body"]) <= LIMIT_CHARACTERS

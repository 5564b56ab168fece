"""The workflows: what they are allowed, and their own lines run against the embedded clouds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.gitops.conftest import ROOT, authorised, git
from tests.gitops.runner import EXPRESSION, Runner, bare_environment, read
from tests.gitops.servers import TOKEN, FakeForge, forge_server, git_server, secrets_in
from tools.locate import PULUMI_VERSION

FOLDER = ROOT / ".github"
WORKFLOWS = {file.stem: file for file in sorted((FOLDER / "workflows").glob("*.yml"))}
ACTIONS = {file.parent.name: file for file in sorted((FOLDER / "actions").glob("*/action.yml"))}
FILES = [*WORKFLOWS.values(), *ACTIONS.values()]
JOBS = [(name, job) for name, file in WORKFLOWS.items() for job in read(file)["jobs"]]
PERMISSIONS = {
    ("ci", "ci"): {"contents": "read"},
    ("plan", "stacks"): {"contents": "read"},
    ("plan", "propose"): {"contents": "write", "pull-requests": "write", "actions": "write"},
    ("preview", "stacks"): {"contents": "read"},
    ("preview", "accounts"): {"contents": "read", "id-token": "write", "pull-requests": "write"},
    ("preview", "sandbox"): {"contents": "read"},
    ("preview", "gate"): {},
    ("up", "stacks"): {"contents": "read"},
    ("up", "up"): {"contents": "read", "id-token": "write"},
}


def triggers(name):
    # YAML 1.2, which ruamel reads, leaves the word `on` a word.
    return read(WORKFLOWS[name])["on"]


def steps(file):
    content = read(file)
    if "runs" in content:
        return content["runs"]["steps"]
    return [step for job in content["jobs"].values() for step in job["steps"]]


def test_there_are_four_workflows():
    assert list(WORKFLOWS) == ["ci", "plan", "preview", "up"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_its_commit_with_the_version_beside_it(file):
    lines = [line for line in file.read_text().splitlines() if re.search(r"^\s*(- )?uses:", line)]
    pinned = re.compile(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
    local = re.compile(r"uses: \./\.github/actions/[a-z]+$")
    assert [line for line in lines if not pinned.search(line) and not local.search(line)] == []


def test_an_action_is_pinned_to_one_commit_everywhere():
    pins = {step["uses"] for file in FILES for step in steps(file) if "uses" in step}
    names = [pin.partition("@")[0] for pin in pins]
    assert len(names) == len(set(names))


def test_the_engine_is_the_one_that_is_tested():
    [pin] = [step["with"] for step in steps(ACTIONS["setup"]) if "pulumi" in step.get("uses", "")]
    assert pin == {"pulumi-version": PULUMI_VERSION}


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_has_the_permissions_it_needs_and_no_others(name, job):
    content = read(WORKFLOWS[name])
    assert content["permissions"] == {}
    assert content["jobs"][job]["permissions"] == PERMISSIONS[name, job]


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_ends_by_itself(name, job):
    assert read(WORKFLOWS[name])["jobs"][job]["timeout-minutes"] <= 120


@pytest.mark.parametrize(
    ("name", "job", "cancels"),
    [
        ("plan", "propose", False),
        ("preview", "accounts", True),
        ("preview", "sandbox", True),
        ("up", "up", False),
    ],
)
def test_a_stack_is_worked_on_by_one_job_at_a_time(name, job, cancels):
    limit = read(WORKFLOWS[name])["jobs"][job]["concurrency"]
    assert limit["group"].startswith(f"{name}-${{{{ matrix.stack }}}}")
    assert limit["cancel-in-progress"] is cancels


@pytest.mark.parametrize("name", WORKFLOWS)
def test_code_of_a_fork_never_runs_with_our_rights(name):
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers(name))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_value_is_pasted_into_a_line_for_the_shell(file):
    for step in steps(file):
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("file", WORKFLOWS.values(), ids=lambda file: file.stem)
def test_a_token_stays_in_the_checkout_only_where_something_is_pushed(file):
    for name, job in read(file)["jobs"].items():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                kept = step.get("with", {}).get("persist-credentials", True)
                assert kept is (name == "propose"), name


def test_a_fork_meets_no_secret_no_login_and_no_account():
    job = read(WORKFLOWS["preview"])["jobs"]["sandbox"]
    assert "environment" not in job
    told = EXPRESSION.findall(json.dumps({**job, "concurrency": None}))
    assert not [text for text in told if text.startswith(("secrets", "github", "vars"))]
    assert "--sandbox" in job["steps"][2]["run"]


@pytest.mark.parametrize(
    ("backend", "event", "author", "repository", "clouds"),
    [
        ("s3://state", "pull_request", "ada", "acme/fleet", "accounts"),
        ("s3://state", "pull_request", "eve", "eve/fleet", "sandbox"),
        ("s3://state", "pull_request", "dependabot[bot]", "acme/fleet", "sandbox"),
        ("s3://state", "workflow_dispatch", None, None, "accounts"),
        ("", "pull_request", "ada", "acme/fleet", "sandbox"),
        ("", "workflow_dispatch", None, None, "sandbox"),
    ],
)
def test_who_asks_decides_which_clouds(backend, event, author, repository, clouds):
    text = read(WORKFLOWS["preview"])["jobs"]["stacks"]["outputs"]["clouds"]
    known = {
        "vars.PULUMI_BACKEND_URL": backend,
        "github.event_name": event,
        "github.event.pull_request.user.login": author,
        "github.event.pull_request.head.repo.full_name": repository,
        "github.repository": "acme/fleet",
    }
    # The operators are GitHub's: && and || give back their operands, as Python's words do.
    [expression] = EXPRESSION.findall(text)
    code = " ".join(expression.split())
    code = code.replace("&&", "and").replace("||", "or")
    for name in sorted(known, key=len, reverse=True):
        code = re.sub(rf"{re.escape(name)}(?![\w.])", repr(known[name]), code)
    assert eval(code) == clouds


@pytest.mark.parametrize(
    ("results", "passes"),
    [
        ("success success skipped", True),
        ("success skipped success", True),
        ("success failure skipped", False),
        ("success skipped cancelled", False),
        ("failure skipped skipped", False),
    ],
)
def test_the_required_check_fails_when_a_preview_did(tmp_path, results, passes):
    values = {"join(needs.*.result, ' ')": results}
    runner = Runner(tmp_path, tmp_path, bare_environment(tmp_path / "home"), values, {})
    runner.run(read(WORKFLOWS["preview"])["jobs"]["gate"])
    assert runner.failed is not passes


def test_the_guide_names_what_the_workflows_read():
    guide = (ROOT / "docs" / "ci.md").read_text()
    text = "".join(file.read_text() for file in WORKFLOWS.values())
    read_names = set(re.findall(r"(?:vars|secrets)\.([A-Z_]+)", text))
    assert read_names == set(re.findall(r"`([A-Z]+_[A-Z_]+)`", guide))


# From here on the workflows run.

CI_ONLY = {
    "actions/setup-python": lambda _, __: None,
    "actions/cache": lambda _, __: None,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """This checkout, as it is, as the first commit of a repository of somebody's."""
    seed = tmp_path_factory.mktemp("seed")
    listed = git(ROOT, "ls-files", "-co", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (seed / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, seed / name)
    git(seed, "init", "-q", "-b", "main")
    git(seed, "add", "-A")
    git(seed, "commit", "-q", "-m", "start")
    return seed


class Hosted:
    """A project on a forge, with runners for its workflows."""

    def __init__(self, folder: Path, project: Path, engine_path: str, clouds: dict[str, str]):
        self.folder, self.engine_path, self.clouds = folder, engine_path, clouds
        self.bare = folder / "served" / "acme" / "fleet.git"
        git(folder, "clone", "-q", "--bare", str(project), str(self.bare))
        self.forge = FakeForge(self.bare)
        self.server = ""
        self.jobs = 0
        self.logins: list[str] = []

    def job(self, workflow: str, name: str, ref: str, *, trusted: bool, **values: str) -> Runner:
        """Run one job on a fresh runner; the checkout is what `ref` is."""
        self.jobs += 1
        place = self.folder / f"runner-{self.jobs}"
        place.mkdir()
        environment = {
            **bare_environment(place / "home"),
            "GITHUB_API_URL": self.forge.url,
            "GITHUB_REPOSITORY": self.forge.repository,
            **(self.clouds if trusted else {}),
        }
        runner = Runner(
            place / "work",
            place,
            environment,
            {
                "runner.os": "Linux",
                "runner.arch": "X64",
                "hashFiles('tools/**')": "0",
                "matrix.stack": "dev",
                "github.token": TOKEN,
                "github.ref_name": ref,
                "vars.PULUMI_BACKEND_URL": self.clouds["PULUMI_BACKEND_URL"],
                "secrets.PULUMI_CONFIG_PASSPHRASE": self.clouds["PULUMI_CONFIG_PASSPHRASE"],
                "secrets.PULUMI_ACCESS_TOKEN": "",
                "secrets.FAIRWEATHER_PROMETHEUS_TOKEN": "",
                "vars.AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/preview",
                "vars.AWS_ROLE_ARN != ''": "true",
                "vars.AWS_REGION": "us-east-1",
                "vars.GCP_WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/p",
                "vars.GCP_WORKLOAD_IDENTITY_PROVIDER != ''": "true",
                "vars.GCP_SERVICE_ACCOUNT": "preview@lumen-dev.iam.gserviceaccount.com",
                **values,
            },
            {
                **CI_ONLY,
                "actions/checkout": lambda runner, inputs: self.checkout(runner, inputs, ref),
                "pulumi/actions": self.engine,
                "aws-actions/configure-aws-credentials": self.login("aws"),
                "google-github-actions/auth": self.login("gcp"),
            },
        )
        runner.run(read(WORKFLOWS[workflow])["jobs"][name])
        return runner

    def checkout(self, runner: Runner, inputs: dict[str, str], ref: str) -> None:
        depth = [] if inputs.get("fetch-depth") == "0" else ["--depth=1"]
        url = f"{self.server}/acme/fleet.git"
        git(self.folder, "clone", "-q", *depth, "-b", ref, url, str(runner.workspace))
        if inputs.get("persist-credentials") != "False":
            authorised(runner.workspace, self.server)
        # Packages come from their index on a runner; here they are those that run the tests.
        (runner.workspace / ".venv").symlink_to(ROOT / ".venv")
        if (self.folder / "demand.csv.gz").exists():
            (runner.workspace / "build").mkdir()
            shutil.copy2(
                self.folder / "demand.csv.gz", runner.workspace / "build/demand-dev.csv.gz"
            )

    def engine(self, runner: Runner, inputs: dict[str, str]) -> None:
        assert inputs == {"pulumi-version": PULUMI_VERSION}
        runner.environment["PATH"] = self.engine_path

    def login(self, cloud: str):
        def log_in(_: Runner, inputs: dict[str, str]) -> None:
            assert all(inputs.values())
            self.logins.append(cloud)

        return log_in


@pytest.fixture
def hosted(tmp_path, project, engine_path, sandbox_env):
    """Somebody's project with the embedded clouds as its accounts."""
    shared = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    clouds = {name: value for name, value in sandbox_env.items() if name not in shared}
    made = Hosted(tmp_path, project, engine_path, clouds)
    with git_server(tmp_path / "served") as url, forge_server(made.forge):
        made.server = url
        yield made


def told(runner):
    return "\n".join(runner.said)


@pytest.mark.slow
def test_the_stacks_are_found_by_their_files(hosted):
    runner = hosted.job("plan", "stacks", "main", trusted=False)
    assert not runner.failed, told(runner)
    assert json.loads(runner.values["steps.list.outputs.stacks"]) == ["dev", "prod"]


@pytest.mark.slow
def test_from_the_schedule_to_the_deployment(hosted, sandbox_env):
    """Plan opens a pull request, its preview comments, the merge deploys, and nothing is left over."""
    demand = hosted.folder / "demand.csv.gz"
    words = ("telemetry", "dev", "--synthesize", str(demand))
    subprocess.run((str(ROOT / "fairweather"), *words), check=True, capture_output=True)

    planned = hosted.job("plan", "propose", "main", trusted=False)
    assert not planned.failed, told(planned)
    [pull] = hosted.forge.pulls
    [started] = hosted.forge.started
    assert (pull["head"], pull["base"], pull["state"]) == ("fairweather/dev", "main", "open")
    assert (started["workflow"], started["ref"]) == ("preview.yml", "fairweather/dev")
    assert git(hosted.bare, "diff", "--name-only", "main", "fairweather/dev") == (
        "stacks/Pulumi.dev.yaml"
    )
    again = hosted.job("plan", "propose", "main", trusted=False)
    assert not again.failed, told(again)
    assert len(hosted.forge.pulls) == 1

    # Once for each stack, by a person: docs/ci.md.
    first = git_checkout(hosted, "main")
    made = subprocess.run(
        ("pulumi", "stack", "init", "dev"), cwd=first, env=sandbox_env, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert not made.returncode, made.stderr

    number = "github.event.pull_request.number || inputs.pull_request"
    asked = {number: started["inputs"]["pull_request"]}
    preview = hosted.job("preview", "accounts", started["ref"], trusted=True, **asked)
    assert not preview.failed, told(preview)
    [comment] = hosted.forge.comments
    assert comment["issue"] == pull["number"]
    assert comment["body"].startswith("<!-- fairweather preview dev -->\n\n✅ **dev**:")
    assert "to create; the gate passes" in comment["body"]
    assert preview.summary == comment["body"]

    hosted.forge.merge(pull["number"], git(hosted.bare, "rev-parse", "fairweather/dev"))
    deployed = hosted.job("up", "up", "main", trusted=True)
    assert not deployed.failed, told(deployed)
    assert re.search(r"up: \d+ created", told(deployed))

    preview = hosted.job("preview", "accounts", "main", trusted=True, **asked)
    assert not preview.failed, told(preview)
    [comment] = hosted.forge.comments
    assert re.search(r"✅ \*\*dev\*\*: \d+ unchanged; the gate passes", comment["body"])
    assert hosted.logins == ["aws", "gcp"] * 3
    assert not secrets_in(told(planned) + told(preview) + told(deployed))


@pytest.mark.slow
def test_a_forks_bad_change_is_stopped_on_the_embedded_clouds(hosted):
    """No account, no token: and yet the gate says the same."""
    fork = git_checkout(hosted, "main")
    program = fork / "__main__.py"
    program.write_text(
        program.read_text() + '\nimport pulumi_aws\n\npulumi_aws.s3.Bucket("scratch")\n'
    )
    git(fork, "commit", "-q", "-am", "a bucket without tags")
    git(fork, "push", "-q", str(hosted.bare), "HEAD:pull/2")
    number = "github.event.pull_request.number || inputs.pull_request"
    runner = hosted.job("preview", "sandbox", "pull/2", trusted=False, **{number: "2"})
    assert runner.failed
    assert runner.summary.startswith("<!-- fairweather preview dev -->\n\n❌ **dev**: blocked by ")
    assert "- **tags-are-complete** · aws:s3/bucket:Bucket scratch<br>" in runner.summary
    assert hosted.forge.requests == []
    assert runner.said[-1].strip() == "stopped"


def git_checkout(hosted, ref):
    """A person's clone."""
    clone = hosted.folder / "person"
    git(hosted.folder, "clone", "-q", "-b", ref, str(hosted.bare), str(clone))
    (clone / ".venv").symlink_to(ROOT / ".venv")
    return clone

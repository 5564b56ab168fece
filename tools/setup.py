"""Everything that the commands need, made once: `python3 tools/setup.py [--tests] [--quiet]`.

The virtual environment from requirements.txt, the Pulumi engine, etcd and kube-apiserver; with
`--tests` also a browser and Prometheus. What a machine has is used; else the official release is
downloaded where it can be reached; else it is built from the Go modules pinned in this folder.
Runs before anything is installed, so it needs nothing but the standard library. Each piece is put
in its place in one step when it is whole, so an interrupted set-up is taken up where it was left.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tools import locate  # noqa: E402  (after the path is right)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LEAST_PYTHON = (3, 11)
ETCD_VERSION = "3.6.5"
REACH_SECONDS = 10
TICK_SECONDS = 0.5
SAY_EVERY_SECONDS = 30
TAIL_LINES = 15
MACHINE = {"x86_64": ("x64", "amd64"), "aarch64": ("arm64", "arm64"), "arm64": ("arm64", "arm64")}
PULUMI_RELEASES = "https://github.com/pulumi/pulumi/releases/download"
KUBERNETES_RELEASES = "https://dl.k8s.io"
ETCD_RELEASES = "https://github.com/etcd-io/etcd/releases/download"
FOR_TESTS = {"chromium": "chromium", "prometheus": "prometheus"}
"""Program that tests look for -> Debian's package of it."""


class SetupError(Exception):
    """What is missing and what to do, in one line."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tests", action="store_true", help="also what only the tests need")
    parser.add_argument("--quiet", action="store_true", help="say nothing where nothing is to do")
    options = parser.parse_args()
    try:
        with alone():
            python_packages(options.quiet)
            engine(options.quiet)
            kubernetes(options.quiet)
            if options.tests:
                for_tests()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; the next run goes on from here", file=sys.stderr)
        return 1
    return 0


def python_packages(quiet: bool) -> None:
    """`.venv` with exactly what requirements.txt pins; the stamp is written when all is there."""
    wanted = hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()
    stamp = VENV / "fairweather-requirements.sha256"
    if stamp.exists() and stamp.read_text() == wanted and (VENV / "bin/python").exists():
        say("Python packages: in .venv", quiet)
        return
    if sys.version_info < LEAST_PYTHON:
        found = platform.python_version()
        raise SetupError(
            f"python3 is {found}, 3.11 or newer is needed; try `make PYTHON=python3.12`"
        )
    if not (VENV / "bin/pip").exists():
        command = (sys.executable, "-m", "venv", "--clear", VENV)
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            why = [line for line in (made.stdout + made.stderr).splitlines() if line.strip()]
            raise SetupError(f"no virtual environment in {VENV}: {why[-1] if why else 'unknown'}")
    install = (VENV / "bin/python", "-m", "pip", "install", "--require-hashes", "--no-deps")
    quietly = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
    run(
        "Python packages: installing, about a minute, once",
        (*map(str, install), *quietly, "-r", str(ROOT / "requirements.txt")),
    )
    stamp.write_text(wanted)


def engine(quiet: bool) -> None:
    """The Pulumi engine, at PULUMI_VERSION unless the machine has one of its own."""
    found = locate.locate().pulumi
    if found is not None:
        say(f"Pulumi engine: {found}", quiet)
        return
    version, folder = locate.PULUMI_VERSION, locate.engine_folder()
    name = f"pulumi-v{version}-{system()}-{machine()[0]}.tar.gz"
    release = f"{PULUMI_RELEASES}/v{version}"
    with scratch(folder) as draft:
        archive = draft / name
        checksums = f"{release}/pulumi-{version}-checksums.txt"
        if download(f"Pulumi engine {version}", f"{release}/{name}", archive, checksums):
            unpack(archive, draft, lambda member: member.startswith("pulumi/"))
        else:
            stamped = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
            go_build(
                f"Pulumi engine {version}: building it from Go modules, about 4 minutes, once",
                "engine",
                {"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
                draft,
                tags="osusergo,grpcnotrace",
                values={stamped: f"v{version}"},
            )
        place(draft, folder)


def kubernetes(quiet: bool) -> None:
    """Etcd and kube-apiserver, unless KUBEBUILDER_ASSETS names them."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    folder = Path(given) if given else locate.kubernetes_folder()
    lacking = locate.lacking(folder)
    if not lacking:
        say(f"Kubernetes {locate.KUBERNETES_VERSION}: {folder}", quiet)
        return
    if given:
        raise SetupError(
            f"KUBEBUILDER_ASSETS={given} has no {', '.join(lacking)}; unset it, or fill it"
        )
    version = locate.KUBERNETES_VERSION
    with scratch(folder) as draft:
        if not downloaded_kubernetes(draft, version):
            what = f"Kubernetes {version}"
            stamped = "k8s.io/component-base/version"
            major, minor, _ = version.split(".")
            go_build(
                f"{what}: building kube-apiserver and etcd from Go modules, about 4 minutes, once",
                "kubernetes",
                {
                    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
                    "etcd": "go.etcd.io/etcd/server/v3",
                },
                draft,
                values={
                    f"{stamped}.gitVersion": f"v{version}",
                    f"{stamped}.gitMajor": major,
                    f"{stamped}.gitMinor": minor,
                },
            )
        place(draft, folder)


def downloaded_kubernetes(draft: Path, version: str) -> bool:
    """The official binaries, where their servers can be reached."""
    _, arch = machine()
    if system() != "linux":  # there is no official kube-apiserver for others
        return False
    server = f"{KUBERNETES_RELEASES}/v{version}/bin/linux/{arch}/kube-apiserver"
    if not download(
        f"kube-apiserver {version}", server, draft / "kube-apiserver", f"{server}.sha256"
    ):
        return False
    name = f"etcd-v{ETCD_VERSION}-linux-{arch}"
    release = f"{ETCD_RELEASES}/v{ETCD_VERSION}"
    archive = draft / f"{name}.tar.gz"
    if not download(
        f"etcd {ETCD_VERSION}", f"{release}/{name}.tar.gz", archive, f"{release}/SHA256SUMS"
    ):
        return False
    unpack(archive, draft, lambda member: member == f"{name}/etcd")
    (draft / "kube-apiserver").chmod(0o755)
    return True


def for_tests() -> None:
    """A browser and a Prometheus from Debian, where we may install them; else the tests say so."""
    lacking = [package for program, package in FOR_TESTS.items() if shutil.which(program) is None]
    if not lacking:
        return
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        names = ", ".join(lacking)
        print(f"setup: no {names} here; the tests that need it will say so", file=sys.stderr)
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("Debian packages: looking them up", (apt, "update"), env=quiet)
    # Only the programs: Prometheus must not be started as a service of the machine.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        command = (apt, "install", "-y", "--no-install-recommends", *lacking)
        run(f"Debian packages: installing {', '.join(lacking)}", command, env=quiet)
    finally:
        if ours:
            policy.unlink()


def go_build(
    title: str,
    module: str,
    programs: dict[str, str],
    into: Path,
    *,
    tags: str = "",
    values: dict[str, str],
) -> None:
    """Build programs of the Go module `module` of this folder into a folder."""
    go = shutil.which("go")
    if go is None:
        what = ", ".join(programs)
        raise SetupError(
            f"{what} can be neither downloaded nor built here; install Go, or put it on PATH"
        )
    # A copy, because -mod=mod may touch up go.mod, and the checkout stays as it is.
    source = into / "source"
    shutil.copytree(locate.TOOLS / module, source)
    flags = "-s -w " + " ".join(f"-X {name}={value}" for name, value in values.items())
    build = (go, "build", "-mod=mod", "-trimpath", f"-tags={tags}", f"-ldflags={flags}")
    for name, package in programs.items():
        step = title if len(programs) == 1 else f"{title} ({name})"
        command = (*build, "-o", str(into / name), package)
        run(step, command, cwd=source, env={"CGO_ENABLED": "0"})
    shutil.rmtree(source)


def download(what: str, url: str, file: Path, checksums: str) -> bool:
    """Fetch an official release and hold it against its checksum; False where it is out of reach.

    Raises SetupError when the file that comes is not the one that was published.
    """
    try:
        with urllib.request.urlopen(checksums, timeout=REACH_SECONDS) as answer:
            published = answer.read().decode()
        print(f"{what}: downloading the official release", file=sys.stderr, flush=True)
        with urllib.request.urlopen(url, timeout=REACH_SECONDS) as answer, file.open("wb") as out:
            shutil.copyfileobj(answer, out)
    except OSError:
        return False
    name = url.rsplit("/", maxsplit=1)[-1]
    lines = [line.split() for line in published.splitlines() if line.strip()]
    # A file of its own holds the bare checksum; a list of them names the files.
    wanted = next((words[0] for words in lines if words[1:] in ([], [name], [f"./{name}"])), "")
    if hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
        raise SetupError(
            f"{url} does not have the published checksum {wanted or '(none found)'}; try again"
        )
    return True


def unpack(archive: Path, into: Path, wanted: Callable[[str], bool]) -> None:
    """The chosen files of an archive, without their folders."""
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            if member.isfile() and wanted(member.name):
                member.name = Path(member.name).name
                opened.extract(member, into, filter="data")
    archive.unlink()


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder beside the final one, gone afterwards whatever happens."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".setup-", dir=folder.parent))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def place(draft: Path, folder: Path) -> None:
    """Put what was made where it belongs, each file in one step."""
    folder.mkdir(exist_ok=True)
    for file in draft.iterdir():
        file.replace(folder / file.name)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One set-up at a time on this machine; a second one waits and then finds all done."""
    home = locate.cache()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: another set-up is running; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(
    title: str, command: Sequence[str], *, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> None:
    """Run one long step, telling how long it has been; its output goes to a log.

    Raises SetupError with the end of the log when it fails.
    """
    logs = locate.cache() / "logs"
    logs.mkdir(exist_ok=True)
    log = logs / f"{Path(command[0]).name}.log"
    started = said = time.monotonic()
    with log.open("w+") as output:
        step = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        on_screen = sys.stderr.isatty()
        print(title, end="" if on_screen else "\n", file=sys.stderr, flush=True)
        try:
            while step.poll() is None:
                time.sleep(TICK_SECONDS)
                seconds = time.monotonic() - started
                if on_screen:
                    print(f"\r\x1b[K{title}  {seconds:.0f} s", end="", file=sys.stderr, flush=True)
                elif time.monotonic() - said >= SAY_EVERY_SECONDS:
                    said = time.monotonic()
                    print(f"  … {seconds:.0f} s", file=sys.stderr, flush=True)
        finally:
            if step.poll() is None:
                step.terminate()
                step.wait()
    seconds = time.monotonic() - started
    print(f"\r\x1b[K{title}" if on_screen else "  ", f"done in {seconds:.0f} s", file=sys.stderr)
    if step.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        raise SetupError(f"{Path(command[0]).name} failed; the whole output is in {log}\n{tail}")


def system() -> str:
    return platform.system().lower()


def machine() -> tuple[str, str]:
    """This machine's kind in Pulumi's and in Kubernetes' words."""
    kind = platform.machine().lower()
    return MACHINE.get(kind, (kind, kind))


def say(line: str, quiet: bool) -> None:
    if not quiet:
        print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

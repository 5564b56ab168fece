"""Setting up: what is there is used, what comes over the wire is checked, failures say what to do."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from tools import locate, setup

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def releases(tmp_path):
    """A release server: files put into the folder are served at the address."""
    folder = tmp_path / "releases"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_second_set_up_finds_all_done(pulumi, kubernetes_binaries):
    assert pulumi
    assert kubernetes_binaries
    done = subprocess.run(
        [sys.executable, ROOT / "tools/setup.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "Python packages",
        "Pulumi engine",
        f"Kubernetes {locate.KUBERNETES_VERSION}",
    ]


def test_a_release_is_taken_only_with_its_published_checksum(releases, tmp_path):
    folder, url = releases
    (folder / "engine.tar.gz").write_bytes(b"engine")
    digest = hashlib.sha256(b"engine").hexdigest()
    (folder / "sums").write_text(f"{'0' * 64}  other.tar.gz\n{digest}  engine.tar.gz\n")
    file = tmp_path / "file"
    assert setup.download("engine", f"{url}/engine.tar.gz", file, f"{url}/sums")
    assert file.read_bytes() == b"engine"
    (folder / "engine.tar.gz").write_bytes(b"tampered")
    with pytest.raises(setup.SetupError, match="published checksum"):
        setup.download("engine", f"{url}/engine.tar.gz", file, f"{url}/sums")


def test_a_release_that_is_out_of_reach_is_built_instead(releases, tmp_path):
    _, url = releases
    assert not setup.download("engine", f"{url}/none", tmp_path / "file", f"{url}/none.sums")


def test_only_the_chosen_files_leave_an_archive(tmp_path):
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        for name in ("pulumi/pulumi", "pulumi/pulumi-language-python", "other/readme"):
            member = tarfile.TarInfo(name)
            member.size = 1
            made.addfile(member, io.BytesIO(b"x"))
    setup.unpack(archive, tmp_path, lambda name: name.startswith("pulumi/"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pulumi", "pulumi-language-python"]


def test_a_step_that_fails_shows_the_end_of_its_output(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    locate.cache().mkdir()
    with pytest.raises(setup.SetupError, match=r"(?s)sh failed.*sh\.log.*no space left"):
        setup.run("trying", ("sh", "-c", "echo no space left; exit 3"))


def test_what_is_half_made_never_takes_its_place(tmp_path):
    folder = tmp_path / "pulumi" / "bin"

    def interrupted():
        with setup.scratch(folder) as draft:
            (draft / "pulumi").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(folder.parent.iterdir()) == []


def test_without_go_and_without_network_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(setup.SetupError, match="install Go"):
        setup.go_build("building", "engine", {"pulumi": "x"}, tmp_path, values={})


def test_the_users_own_kubernetes_binaries_have_to_be_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(setup.SetupError, match=r"has no etcd, kube-apiserver; unset it"):
        setup.kubernetes(quiet=True)


def test_the_users_own_pulumi_is_used(tmp_path, monkeypatch):
    own = tmp_path / "pulumi"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert locate.locate().pulumi == own


def test_processes_that_a_run_left_behind_are_named_and_ended():
    left = {**os.environ, "FAIRWEATHER_RUN": "test-of-leftovers"}
    command = [sys.executable, str(ROOT / "tools/leftovers.py")]
    child = subprocess.Popen(["sleep", "60"], env=left)
    found = subprocess.run(command, env=left, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert f"left behind: {child.pid} sleep 60" in found.stderr
    child.wait(5)
    again = subprocess.run(command, env=left, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")

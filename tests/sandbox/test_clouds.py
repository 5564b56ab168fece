"""What needs neither an engine nor a server: notebooks, Google's rules, Kubernetes' drift."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sandbox import lifecycle, notebook
from sandbox.clusters import Cluster, admin_config, missing
from sandbox.google import Google
from sandbox.kube import as_live, content, is_immutable, manifest, server_of
from sandbox.lifecycle import SandboxError
from sandbox.notebook import Notebook
from sandbox.provider import Refused, Request


def test_a_notebook_is_read_again_and_forgets_what_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    book = Notebook(path)
    for number in range(3):
        book.put("kept", {"n": number})
        book.put("gone", {"n": number})
    book.put("gone", None)
    assert notebook.read(path) == {"kept": {"n": 2}}
    assert Notebook(path).get("kept") == {"n": 2}
    assert len(path.read_text().splitlines()) == 1


def test_a_line_that_a_kill_tore_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    Notebook(path).put("whole", {"n": 1})
    with path.open("a") as file:
        file.write('["torn", {"n"')
    assert notebook.read(path) == {"whole": {"n": 1}}
    Notebook(path).put("next", {"n": 2})
    assert notebook.read(path) == {"whole": {"n": 1}, "next": {"n": 2}}


def asked(token: str, id_: str = "", config: dict[str, Any] | None = None) -> Request:
    urn = f"urn:pulumi:s::p::{token}::thing"
    return Request(urn, token, "thing", id_, b"", config or {}, warn=lambda _: None)


@pytest.fixture
def google(tmp_path: Path) -> Google:
    return Google(Notebook(tmp_path / "google.jsonl"), None)


def test_google_objects_are_written_down_with_googles_ids(google: Google) -> None:
    account = asked("gcp:serviceaccount/account:Account", config={"project": "lumen-dev"})
    inputs = google.check(account, {}, {"accountId": "nodes"})
    id_, outputs = google.create(account, inputs)
    email = "nodes@lumen-dev.iam.gserviceaccount.com"
    assert id_ == f"projects/lumen-dev/serviceAccounts/{email}"
    assert outputs["member"] == f"serviceAccount:{email}"
    found = google.read(asked(account.type, id_), inputs, outputs)
    assert found is not None
    assert found[0] == inputs
    changed = google.update(asked(account.type, id_), inputs, {**inputs, "disabled": True}, outputs)
    assert changed["disabled"] is True
    google.delete(asked(account.type, id_), inputs, outputs)
    assert google.read(asked(account.type, id_), inputs, outputs) is None


@pytest.mark.parametrize(
    ("token", "inputs", "said"),
    [
        ("gcp:sql/databaseInstance:DatabaseInstance", {}, "does not know gcp:sql/databaseInstance"),
        ("gcp:compute/network:Network", {"name": "Upper"}, "Invalid value for field 'name'"),
        ("gcp:kms/cryptoKey:CryptoKey", {"labels": {"Team": "x"}}, "Invalid label 'Team: x'"),
        (
            "gcp:container/nodePool:NodePool",
            {"nodeConfig": {"resourceLabels": {"team": "A B"}}},
            "Invalid label 'team: A B'",
        ),
    ],
)
def test_google_refuses_what_google_would(
    google: Google, token: str, inputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        google.check(asked(token), {}, inputs)


def test_settings_of_a_notification_channel_are_no_labels(google: Google) -> None:
    channel = asked("gcp:monitoring/notificationChannel:NotificationChannel")
    inputs = {"labels": {"email_address": "a@example.test"}}
    assert google.check(channel, {}, inputs)["labels"] == inputs["labels"]


def test_a_change_of_place_makes_a_new_google_object(google: Google) -> None:
    service = asked("gcp:cloudrunv2/service:Service")
    old, new = {"name": "s", "location": "a"}, {"name": "s", "location": "b"}
    found = google.diff(service, old, new, {}, ["location"])
    assert found.replaces == ("location",)
    assert found.delete_first
    assert not google.diff(service, old, new, {}, ["template.scaling"]).replaces


def test_normal_forms_are_no_drift_and_a_hand_is() -> None:
    sent = {"spec": {"cpu": "1000m", "replicas": 2, "ports": [{"port": 80}]}}
    stored = {"spec": {"cpu": "1", "replicas": 2, "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert as_live(sent, stored, stored) == sent
    moved = {"spec": {"cpu": "1", "replicas": 5, "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert as_live(sent, moved, stored)["spec"] == {**sent["spec"], "replicas": 5}
    removed = {"spec": {"replicas": 2, "ports": [{"port": 80, "protocol": "TCP"}]}}
    assert "cpu" not in as_live(sent, removed, stored)["spec"]


def test_what_the_server_counts_is_no_content() -> None:
    live = {"metadata": {"name": "a", "resourceVersion": "1", "generation": 2}, "status": {}}
    assert content(live) == {"metadata": {"name": "a"}}


def test_names_of_crd_schemas_go_back_to_kubernetes_own() -> None:
    given = {"schema": [{"x_kubernetes_preserve_unknown_fields": True, "_ref": "#/a", "b_c": 1}]}
    kept = [{"x-kubernetes-preserve-unknown-fields": True, "$ref": "#/a", "b_c": 1}]
    assert manifest(given) == {"schema": kept}


def test_an_immutable_field_is_told_from_other_refusals() -> None:
    assert is_immutable({"message": "spec.selector: Invalid value: {}: field is immutable"})
    assert not is_immutable({"message": "spec.type: Unsupported value"})


def test_a_kubeconfig_leads_to_the_server_of_its_context() -> None:
    clusters = [
        Cluster("east", "https://127.0.0.1:2", Path("e"), "QQ=="),
        Cluster("default", "https://127.0.0.1:1", Path("d"), "QQ=="),
    ]
    settings = json.loads(json.dumps(admin_config(clusters)))
    assert server_of(settings, None) == "https://127.0.0.1:1"
    assert server_of(settings, "east") == "https://127.0.0.1:2"
    with pytest.raises(Refused, match="no context west"):
        server_of(settings, "west")


def test_missing_binaries_are_named(tmp_path: Path) -> None:
    assert missing(None) == ("etcd", "kube-apiserver")
    (tmp_path / "etcd").touch(mode=0o755)
    assert missing(tmp_path) == ("kube-apiserver",)


def test_without_a_sandbox_the_next_step_is_named(tmp_path: Path) -> None:
    assert not lifecycle.status(tmp_path).running
    lifecycle.stop(tmp_path)  # nothing to do
    with pytest.raises(SandboxError, match=r"start it with `fairweather sandbox start --home "):
        lifecycle.environment(tmp_path)
    with pytest.raises(SandboxError, match=r"start it with `fairweather sandbox start`"):
        lifecycle.environment(tmp_path / ".sandbox")


def test_one_home_has_one_sandbox(tmp_path: Path) -> None:
    mine = lifecycle.lock(tmp_path)
    assert lifecycle.is_locked(tmp_path)
    with pytest.raises(SandboxError, match=r"a sandbox runs in .* already"):
        lifecycle.lock(tmp_path)
    os.close(mine)
    assert not lifecycle.is_locked(tmp_path)


def test_counts_are_told_by_type() -> None:
    assert lifecycle.counted({"a:b/c:Vpc": 2, "a:b/d:Role": 1}, "object") == (
        "3 objects (2 Vpc, 1 Role)"
    )
    assert lifecycle.counted({}, "object") == "0 objects"
    assert lifecycle.counted({"a:b/c:Vpc": 1}, "object") == "1 object (1 Vpc)"

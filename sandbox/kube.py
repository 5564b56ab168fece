"""kubernetes: any manifest, against a real API server. The server validates, defaults and stores; this file carries."""

from __future__ import annotations

import copy
import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiException
from kubernetes.dynamic.exceptions import ResourceNotFoundError

from sandbox import crds
from sandbox.clusters import DEFAULT, Cluster, Clusters
from sandbox.notebook import Notebook
from sandbox.provider import (
    UNKNOWN,
    Bag,
    Cloud,
    Difference,
    Refused,
    Request,
    differences,
    has_unknown,
)

MANAGER = "pulumi"
CHART = "kubernetes:helm.sh/v3:Release"
ABSENT = (
    "the sandbox runs without Kubernetes: etcd and kube-apiserver are missing; run `make setup`"
)
GONE_SECONDS, ESTABLISHED_SECONDS = 60, 15
IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")


class Missing(Refused):
    """The object, its namespace or its kind is not there."""


class Immutable(Refused):
    """The server says that a field cannot change."""


class Kubernetes(Cloud):
    """Server-side apply, in previews as a dry run.

    Where the cluster is still to come, the default cluster is asked in its place.
    """

    package = "kubernetes"

    def __init__(self, clusters: Clusters | None, notebook: Notebook) -> None:
        self._clusters, self._charts = clusters, notebook
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def check(self, request: Request, old: Bag, new: Bag) -> Bag:
        if self._clusters is None:
            raise Refused(ABSENT)
        if request.type == CHART:
            return {**new, "name": request.auto_name(new.get("name") or old.get("name"))}
        if "apiVersion" not in new or "kind" not in new:
            raise Refused(
                f"the sandbox has no {request.type}: only plain manifests and helm.v3.Release"
            )
        new = manifest(new)
        meta = dict(new.get("metadata") or {})
        meta["name"] = request.auto_name(
            meta.get("name") or (old.get("metadata") or {}).get("name")
        )
        return {**new, "metadata": meta}

    def diff(
        self, request: Request, old: Bag, new: Bag, state: Bag, paths: list[str]
    ) -> Difference:
        if request.type == CHART:
            return Difference()
        identity = tuple(path for path in paths if path in IDENTITY)
        same_name = old["metadata"].get("name") == new["metadata"].get("name")
        if identity:
            return Difference(identity, delete_first=same_name)
        if has_unknown(new):
            return Difference()
        try:
            stored = self._rehearse(new, request.config)
        except Immutable:
            fixed = [path for path in paths if not path.startswith("metadata")] or paths
            return Difference(tuple(fixed), delete_first=same_name)
        # "1" for "1000m" changes nothing.
        return Difference(nothing=stored is not None and content(stored) == content(state))

    def create(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        if request.type == CHART:
            return self._chart(request, inputs)
        if request.preview:
            try:
                return "", self._rehearse(inputs, request.config) or inputs
            except Immutable:  # what this one replaces is still there
                return "", inputs
        try:
            live = self._ask("get", inputs, request.config)
            if not any(
                entry.get("manager") == MANAGER
                for entry in live["metadata"].get("managedFields", ())
            ):
                raise Refused(f"{identity_of(inputs)} exists already and is not ours")
        except Missing:
            pass
        live = tidy(self._ask("apply", inputs, request.config))
        if inputs["kind"] == "CustomResourceDefinition":
            self._wait_established(inputs, request.config)
        return identity_of(live), live

    def read(self, request: Request, inputs: Bag, state: Bag) -> tuple[Bag, Bag] | None:
        if request.type == CHART:
            page = self._charts.get(request.urn)
            return None if page is None else (inputs, state)
        body = inputs or bare(state, request.id)
        try:
            live = self._ask("get", body, request.config)
        except Missing:
            return None
        if not inputs:
            return body, tidy(live)
        try:
            target = self._ask("apply", inputs, request.config, dry_run="All")
        except Refused:
            target = live  # no longer accepted: report what is there
        drifted = any(differences(content(target), content(live)))
        return (as_live(inputs, live, target) if drifted else inputs), tidy(live)

    def update(self, request: Request, old: Bag, new: Bag, state: Bag) -> Bag:
        if request.type == CHART:
            return self._chart(request, new)[1]
        if request.preview:
            return self._rehearse(new, request.config) or {**state, **new}
        return tidy(self._ask("apply", new, request.config))

    def delete(self, request: Request, old: Bag, state: Bag) -> None:
        if request.type == CHART:
            self._charts.put(request.urn, None)
            return
        body = old or state
        try:
            uid = self._ask("get", body, request.config)["metadata"]["uid"]
            self._ask("delete", body, request.config, body={"propagationPolicy": "Background"})
            if body["kind"] == "Namespace":
                self._finalize(body, request.config)
            deadline = time.monotonic() + GONE_SECONDS
            while self._ask("get", body, request.config)["metadata"]["uid"] == uid:
                if time.monotonic() > deadline:
                    raise Refused(f"{request.id} is not gone after {GONE_SECONDS} s (finalizers?)")
                time.sleep(0.05)
        except Missing:
            return

    def _chart(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        space = inputs.get("namespace", "default")
        outputs = {**inputs, "status": {"name": inputs["name"], "namespace": space}}
        if not request.preview:
            request.warn("recorded only: no chart is rendered; the types it brings are there")
            self._charts.put(request.urn, {**outputs, "_type": request.type})
        return f"{space}/{inputs['name']}", outputs

    def _cluster(self, config: Bag) -> Cluster:
        """The cluster that a provider's kubeconfig leads to; the default while that is unknown."""
        if self._clusters is None:
            raise Refused(ABSENT)
        text = config.get("kubeconfig")
        if not text or text == UNKNOWN:
            return self._clusters.ensure(DEFAULT)
        inline = "{" in text or "\n" in text
        settings = yaml.safe_load(text if inline else Path(text).read_text())
        url = server_of(settings, config.get("context"))
        found = self._clusters.at(url)
        if found is None:
            raise Missing(
                f"no cluster of the sandbox listens at {url}; was it deleted? "
                "`pulumi up --refresh` looks again"
            )
        return found

    def _client(self, config: Bag) -> Any:
        cluster = self._cluster(config)
        with self._lock:
            if cluster.url not in self._clients:
                self._clients[cluster.url] = crds.connect(cluster.kubeconfig)
            return self._clients[cluster.url]

    def _ask(self, verb: str, thing: Bag, config: Bag, **options: Any) -> Bag:
        """One call about one object; raises Missing, Immutable or Refused in the server's words."""
        client, meta = self._client(config), thing["metadata"]
        try:
            with self._lock:  # discovery is cached in the client and is not safe for threads
                kind = client.resources.get(api_version=thing["apiVersion"], kind=thing["kind"])
            if kind.namespaced:
                options["namespace"] = meta.get("namespace", "default")
            if verb == "apply":
                answer = kind.server_side_apply(
                    body=thing,
                    name=meta["name"],
                    field_manager=MANAGER,
                    force_conflicts=True,
                    **options,
                )
            else:
                answer = getattr(kind, verb)(name=meta["name"], **options)
            found: Bag = answer.to_dict()
            return found
        except ResourceNotFoundError:
            what = f"{thing['apiVersion']} {thing['kind']}"
            raise Missing(f"the cluster does not know {what}") from None
        except ApiException as error:
            told: Any = error.body  # bytes from the dynamic client, whatever its types say
            text = told.decode() if isinstance(told, bytes) else told or ""
            detail = json.loads(text) if text[:1] == "{" else {"message": str(error)}
            kind_of = (
                Missing if error.status == 404 else Immutable if is_immutable(detail) else Refused
            )
            raise kind_of(
                f"{detail.get('reason', error.status)}: {detail.get('message')}"
            ) from error

    def _rehearse(self, body: Bag, config: Bag) -> Bag | None:
        """What the server would store, by a dry run; None where that cannot be known yet."""
        if has_unknown(body):
            return None
        try:
            return self._ask("apply", body, config, dry_run="All")
        except Missing as missing:
            if "namespaces" not in str(missing):
                return None  # the kind, or the cluster, comes with this same deployment
        # The namespace comes with this same deployment: `default` checks types and enums in its place.
        stand_in = {**body, "metadata": {**body["metadata"], "namespace": "default"}}
        try:
            seen = self._ask("apply", stand_in, config, dry_run="All")
        except Immutable:
            return None  # an object of that name lives in `default`
        return {
            **seen,
            "metadata": {**seen["metadata"], "namespace": body["metadata"]["namespace"]},
        }

    def _wait_established(self, crd: Bag, config: Bag) -> None:
        deadline = time.monotonic() + ESTABLISHED_SECONDS
        while time.monotonic() < deadline:
            conditions = self._ask("get", crd, config).get("status", {}).get("conditions") or []
            if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                return
            time.sleep(0.1)
        raise Refused(f"{crd['metadata']['name']} is not established after {ESTABLISHED_SECONDS} s")

    def _finalize(self, body: Bag, config: Bag) -> None:
        """No controller empties a namespace here; the engine has deleted what it knows before, so let it go."""
        name = body["metadata"]["name"]
        empty = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name},
            "spec": {"finalizers": []},
        }
        self._client(config).request("put", f"/api/v1/namespaces/{name}/finalize", body=empty)


def server_of(settings: Bag, context: str | None) -> str:
    """The address that a kubeconfig leads to."""
    wanted = context or settings.get("current-context")
    inside = {entry["name"]: entry["context"]["cluster"] for entry in settings["contexts"]}
    servers = {entry["name"]: entry["cluster"]["server"] for entry in settings["clusters"]}
    try:
        return str(servers[inside[wanted]]).rstrip("/")
    except KeyError:
        raise Refused(f"the provider's kubeconfig has no context {wanted}") from None


def manifest(inputs: Any) -> Any:
    """Two odd keys of CRD schemas, from Pulumi's Python names back to Kubernetes' own."""
    if isinstance(inputs, dict):
        return {kubernetes_name(key): manifest(value) for key, value in inputs.items()}
    return [manifest(value) for value in inputs] if isinstance(inputs, list) else inputs


def kubernetes_name(key: str) -> str:
    if key.startswith("x_kubernetes"):
        return key.replace("_", "-")
    return "$ref" if key == "_ref" else key


def as_live(sent: Any, live: Any, target: Any) -> Any:
    """What the user sent, with each value that drifted replaced by the live one.

    `target` is what the server would store if `sent` were applied now: comparing live with it, and
    not with what was sent, keeps normal forms ("1000m" stored as "1") from looking like drift.
    """
    if isinstance(sent, dict) and isinstance(live, dict):
        goal = target or {}
        return {
            k: as_live(v, live.get(k), goal.get(k))
            for k, v in sent.items()
            if k in live or k not in goal
        }
    if (
        isinstance(sent, list)
        and isinstance(live, list)
        and isinstance(target, list)
        and len(sent) == len(live) == len(target)
    ):
        return [as_live(*three) for three in zip(sent, live, target, strict=True)]
    return sent if live == target else live


def is_immutable(detail: Bag) -> bool:
    text = str(detail.get("message", ""))
    return bool(
        re.search(
            r"field is immutable|updates to .* fields other than|may not change once set", text
        )
    )


def identity_of(body: Bag) -> str:
    meta = body["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def bare(state: Bag, id_: str) -> Bag:
    """Enough of a manifest to find an object by its id."""
    *space, name = id_.split("/")
    meta = {"name": name, **({"namespace": space[0]} if space else {})}
    return {"apiVersion": state["apiVersion"], "kind": state["kind"], "metadata": meta}


def content(live: Bag) -> Bag:
    """Without status and what the server counts."""
    counted = ("resourceVersion", "generation", "managedFields")
    meta = {key: value for key, value in live["metadata"].items() if key not in counted}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": meta}


def tidy(live: Bag) -> Bag:
    """Without what changes without anybody's decision: managedFields and status."""
    live = copy.deepcopy(live)
    live["metadata"].pop("managedFields", None)
    live.pop("status", None)
    return live

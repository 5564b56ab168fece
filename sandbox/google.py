"""gcp: no emulator holds GKE, Cloud Run or budgets, so objects are checked a little and written down.

Behind a GKE cluster stands a real API server. Each type warns once in an update that it is only
recorded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from sandbox.clusters import Clusters
from sandbox.notebook import Notebook
from sandbox.provider import Bag, Cloud, Difference, Refused, Request, top

CLUSTER = "gcp:container/cluster:Cluster"
ACCOUNT_ID = "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com"
IDS: Mapping[str, str] = {
    CLUSTER: "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": "{cluster}/nodePools/{name}",
    "gcp:compute/network:Network": "projects/{project}/global/networks/{name}",
    "gcp:compute/subnetwork:Subnetwork": "projects/{project}/regions/{region}/subnetworks/{name}",
    "gcp:compute/router:Router": "projects/{project}/regions/{region}/routers/{name}",
    "gcp:compute/routerNat:RouterNat": "{project}/{region}/{router}/{name}",
    "gcp:compute/globalAddress:GlobalAddress": "projects/{project}/global/addresses/{name}",
    "gcp:compute/instance:Instance": "projects/{project}/zones/{zone}/instances/{name}",
    "gcp:kms/keyRing:KeyRing": "projects/{project}/locations/{location}/keyRings/{name}",
    "gcp:kms/cryptoKey:CryptoKey": "{keyRing}/cryptoKeys/{name}",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": "{cryptoKeyId}/{role}/{member}",
    "gcp:serviceaccount/account:Account": ACCOUNT_ID,
    "gcp:serviceAccount/account:Account": ACCOUNT_ID,
    "gcp:projects/iAMMember:IAMMember": "{project}/{role}/{member}",
    "gcp:billing/budget:Budget": "billingAccounts/{billingAccount}/budgets/{name}",
    "gcp:cloudrunv2/service:Service": "projects/{project}/locations/{location}/services/{name}",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "{name}/{role}/{member}",
    "gcp:monitoring/notificationChannel:NotificationChannel": (
        "projects/{project}/notificationChannels/{name}"
    ),
    "gcp:storage/bucket:Bucket": "{name}",
}
"""The types that are known, and how Google writes their ids."""
FIXED = frozenset(
    {
        "accountId",
        "billingAccount",
        "cluster",
        "cryptoKeyId",
        "keyRing",
        "location",
        "member",
        "name",
        "network",
        "project",
        "region",
        "role",
        "zone",
    }
)
"""Inputs that force a new object."""
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
NAMED = ("container", "compute")
RESERVED = "203.0.113."
"""Addresses that lead nowhere (RFC 5737)."""


class Google(Cloud):
    """Google's ids, its rules for names and labels, and API servers behind GKE clusters."""

    package = "gcp"

    def __init__(self, notebook: Notebook, clusters: Clusters | None) -> None:
        self._notebook, self._clusters = notebook, clusters

    def check(self, request: Request, old: Bag, new: Bag) -> Bag:
        if request.type not in IDS:
            raise Refused(f"the sandbox does not know {request.type}; add it to sandbox/google.py")
        name = request.auto_name(new.get("name") or old.get("name"))
        family = family_of(request.type)
        if family in NAMED and not NAME.fullmatch(name):
            raise Refused(
                f"Invalid value for field 'name': '{name}'. "
                f"Must be a match of regex '{NAME.pattern}'"
            )
        if family != "monitoring":  # there, labels are settings of a channel
            inside = new.get("nodeConfig") or {}
            for labels in (
                new.get("labels"),
                new.get("resourceLabels"),
                inside.get("resourceLabels"),
            ):
                check_labels(labels or {})
        return {**new, "name": name}

    def diff(
        self, request: Request, old: Bag, new: Bag, state: Bag, paths: list[str]
    ) -> Difference:
        replaces = tuple(path for path in paths if top(path) in FIXED)
        same_name = old.get("name") == new.get("name")
        return Difference(replaces, delete_first=bool(replaces) and same_name)

    def create(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        if request.preview:
            return "", inputs
        id_, outputs = self._outputs(request, inputs)
        kind, what = request.type.split(":")[-1], "recorded only"
        if request.type == CLUSTER and self._clusters is not None:
            what = "its API server is real, the rest is recorded"
        request.warn(f"{kind} on Google Cloud: {what}")
        self._notebook.put(id_, {**outputs, "_type": request.type})
        return id_, outputs

    def read(self, request: Request, inputs: Bag, state: Bag) -> tuple[Bag, Bag] | None:
        page = self._notebook.get(request.id)
        if page is None:
            return None
        outputs = {key: value for key, value in page.items() if key != "_type"}
        if request.type == CLUSTER:  # its API server may listen elsewhere since a restart
            outputs |= self._api_server(outputs)
        return {key: outputs.get(key) for key in inputs or outputs}, outputs

    def update(self, request: Request, old: Bag, new: Bag, state: Bag) -> Bag:
        outputs = {**{key: value for key, value in state.items() if key not in old}, **new}
        if not request.preview:
            self._notebook.put(request.id, {**outputs, "_type": request.type})
        return outputs

    def delete(self, request: Request, old: Bag, state: Bag) -> None:
        if request.type == CLUSTER and self._clusters is not None:
            self._clusters.remove(cluster_name(old or state))
        self._notebook.put(request.id, None)

    def invoke(self, token: str, arguments: Bag, config: Bag) -> Bag:
        project = str(arguments.get("projectId") or config.get("project") or "sandbox")
        match token.rsplit(":", maxsplit=1)[-1]:
            case "getProject":
                told = {"projectId": project, "name": project, "number": number(project)[:12]}
                return {**told, "id": f"projects/{project}"}
            case "getClientConfig":
                told = {key: config.get(key, "") for key in ("region", "zone")}
                return {**told, "project": project, "accessToken": "sandbox", "id": project}
        return super().invoke(token, arguments, config)

    def _outputs(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        project = request.config.get("project", "sandbox")
        facts = {"project": project, "location": "global", "region": "global", **inputs}
        id_ = IDS[request.type].format_map(facts)
        more: Bag = {}
        match request.type.split(":")[-1]:
            case "Cluster":
                more = self._api_server(inputs)
            case "Account":
                email = id_.rsplit("/", 1)[-1]
                more = {"email": email, "member": f"serviceAccount:{email}"}
                more["uniqueId"] = number(id_)
            case "GlobalAddress":
                more = {"address": f"{RESERVED}{int(number(id_)) % 254 + 1}"}
            case "Service":
                digits = number(id_)[:12]
                host = f"https://{facts['name']}-{digits}.{facts['location']}.run.invalid"
                more = {"uri": host, "uris": [host]}
        # Only what each type has as an output: the SDK stops at an output of another form.
        link = f"https://sandbox.invalid/{id_}"
        return id_, {**inputs, **more, "project": facts["project"], "selfLink": link}

    def _api_server(self, inputs: Bag) -> Bag:
        if self._clusters is None:
            return {}
        server = self._clusters.ensure(cluster_name(inputs))
        authority = {
            "clusterCaCertificate": server.authority,
            "clientCertificateConfig": {"issueClientCertificate": False},
        }
        return {"endpoint": server.url, "masterAuth": authority}


def family_of(token: str) -> str:
    """`gcp:compute/network:Network` -> `compute`."""
    return token.split(":")[1].split("/", maxsplit=1)[0]


def check_labels(labels: Mapping[str, str]) -> None:
    """Google's rules (cloud.google.com, "Requirements for labels"); raises Refused."""
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(str(value)):
            raise Refused(
                f"Invalid label '{key}: {value}': "
                "lower-case letters, digits, _ and - only, at most 63"
            )


def cluster_name(inputs: Mapping[str, str]) -> str:
    """One API server for each cluster name of a place."""
    return f"gke-{inputs.get('location', 'global')}-{inputs['name']}"


def number(text: str) -> str:
    """A long number that stays the same for the same object."""
    return str(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16))

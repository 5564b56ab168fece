"""gcp: nothing on a laptop emulates GKE, Cloud Run or Cloud Billing, so objects are checked a little and written down.

A GKE cluster is the exception: its endpoint is a real API server. Each type says once an update that it is only recorded.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping

from sandbox.clusters import Clusters
from sandbox.notebook import Notebook
from sandbox.provider import Bag, Cloud, Difference, Refused, Request, top

CLUSTER = "gcp:container/cluster:Cluster"
IDS: Mapping[str, str] = {
    CLUSTER: "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": "{cluster}/nodePools/{name}",
    "gcp:compute/network:Network": "projects/{project}/global/networks/{name}",
    "gcp:compute/subnetwork:Subnetwork": "projects/{project}/regions/{region}/subnetworks/{name}",
    "gcp:compute/router:Router": "projects/{project}/regions/{region}/routers/{name}",
    "gcp:compute/routerNat:RouterNat": "{project}/{region}/{router}/{name}",
    "gcp:compute/globalAddress:GlobalAddress": "projects/{project}/global/addresses/{name}",
    "gcp:kms/keyRing:KeyRing": "projects/{project}/locations/{location}/keyRings/{name}",
    "gcp:kms/cryptoKey:CryptoKey": "{keyRing}/cryptoKeys/{name}",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": "{cryptoKeyId}/{role}/{member}",
    "gcp:serviceaccount/account:Account": "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
    "gcp:serviceAccount/account:Account": "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
    "gcp:projects/iAMMember:IAMMember": "{project}/{role}/{member}",
    "gcp:billing/budget:Budget": "billingAccounts/{billingAccount}/budgets/{name}",
    "gcp:cloudrunv2/service:Service": "projects/{project}/locations/{location}/services/{name}",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "{name}/{role}/{member}",
    "gcp:monitoring/notificationChannel:NotificationChannel": "projects/{project}/notificationChannels/{name}",
}
"""The types that are known, and how Google writes their ids."""
FIXED = {
    "name",
    "location",
    "region",
    "project",
    "cluster",
    "billingAccount",
    "accountId",
    "keyRing",
    "network",
    "role",
}
"""Inputs that force a new object."""
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_KEY, LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
NAMED = ("container", "compute")
RESERVED = "203.0.113."
"""Addresses that lead nowhere (RFC 5737)."""


class Google(Cloud):
    """A notebook with Google's ids, rules for names and labels, and API servers behind GKE clusters."""

    package = "gcp"

    def __init__(self, notebook: Notebook, clusters: Clusters | None) -> None:
        self._notebook, self._clusters = notebook, clusters
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def check(self, request: Request, old: Bag, new: Bag) -> Bag:
        if request.type not in IDS:
            raise Refused(f"the sandbox does not know {request.type}; add it to sandbox/google.py")
        name = request.auto_name(new.get("name") or old.get("name"))
        family = request.type.split(":")[1].split("/")[0]
        if family in NAMED and not NAME.fullmatch(name):
            raise Refused(
                f"Invalid value for field 'name': '{name}'. Must be a match of regex '{NAME.pattern}'"
            )
        node = new.get("nodeConfig") or {}
        for labels in (new.get("labels"), new.get("resourceLabels"), node.get("resourceLabels")):
            if family != "monitoring":
                check_labels(labels or {})
        return {**new, "name": name}

    def diff(
        self, request: Request, old: Bag, new: Bag, state: Bag, paths: list[str]
    ) -> Difference:
        replaces = tuple(path for path in paths if top(path) in FIXED)
        return Difference(
            replaces, delete_first=bool(replaces) and old.get("name") == new.get("name")
        )

    def create(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        if request.preview:
            return "", inputs
        id_, outputs = self._outputs(request, inputs)
        self._say(request)
        self._notebook.put(id_, {**outputs, "_type": request.type})
        return id_, outputs

    def read(self, request: Request, inputs: Bag, state: Bag) -> tuple[Bag, Bag] | None:
        page = self._notebook.get(request.id)
        if page is None:
            return None
        if request.type == CLUSTER:  # its API server may listen elsewhere since a restart
            page = {**page, **self._api_server(page)}
        return {key: page.get(key, value) for key, value in (inputs or page).items()}, without_type(
            page
        )

    def update(self, request: Request, old: Bag, new: Bag, state: Bag) -> Bag:
        outputs = {**{key: value for key, value in state.items() if key not in old}, **new}
        if not request.preview:
            self._notebook.put(request.id, {**outputs, "_type": request.type})
        return outputs

    def delete(self, request: Request, old: Bag, state: Bag) -> None:
        if request.type == CLUSTER and self._clusters is not None:
            self._clusters.remove(cluster_name(old or state))
        self._notebook.put(request.id, None)

    def _outputs(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        facts = {
            "project": request.config.get("project", "sandbox"),
            "location": "global",
            "region": "global",
            **inputs,
        }
        id_ = IDS[request.type].format_map(facts)
        more: Bag = {}
        match request.type.split(":")[-1]:
            case "Cluster":
                more = self._api_server(inputs)
            case "Account":
                email = id_.rsplit("/", 1)[-1]
                more = {
                    "email": email,
                    "member": f"serviceAccount:{email}",
                    "uniqueId": number(id_),
                }
            case "GlobalAddress":
                more = {"address": f"{RESERVED}{int(number(id_)) % 254 + 1}"}
            case "Service":
                host = f"https://{facts['name']}-{number(id_)[:12]}.{facts['location']}.run.invalid"
                more = {"uri": host, "uris": [host]}
        # Only what each type has as an output: the SDK stops at an output of another form.
        return id_, {
            **inputs,
            **more,
            "project": facts["project"],
            "selfLink": f"https://sandbox.invalid/{id_}",
        }

    def _api_server(self, inputs: Bag) -> Bag:
        if self._clusters is None:
            return {}
        server = self._clusters.ensure(cluster_name(inputs))
        authority = {
            "clusterCaCertificate": server.authority,
            "clientCertificateConfig": {"issueClientCertificate": False},
        }
        return {"endpoint": server.url, "masterAuth": authority}

    def _say(self, request: Request) -> None:
        with self._lock:
            if request.type in self._warned:
                return
            self._warned.add(request.type)
        what = (
            "its API server is real, the rest is recorded"
            if request.type == CLUSTER
            else "recorded only"
        )
        request.warn(f"{request.type.split(':')[-1]} on Google Cloud: {what}")


def check_labels(labels: Mapping[str, str]) -> None:
    """Google's rules (cloud.google.com, "Labels requirements"); raises Refused."""
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(str(value)):
            raise Refused(
                f"Invalid label '{key}: {value}': lower-case letters, digits, _ and - only, at most 63"
            )


def cluster_name(inputs: Mapping[str, str]) -> str:
    return f"gke-{inputs['name']}"


def number(text: str) -> str:
    """A long number that stays the same for the same object."""
    return str(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16))


def without_type(page: Bag) -> Bag:
    return {key: value for key, value in page.items() if key != "_type"}

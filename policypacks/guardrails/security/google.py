"""Google Cloud: what is public, what is encrypted, what is logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gate import ResourceRule, Rule
from pricing.declared import Resource, is_unknown

from security.expect import absent_or, expect, one_of, there, world

CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
BUCKET = "gcp:storage/bucket:Bucket"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
FIREWALL = "gcp:compute/firewall:Firewall"
OPEN_PORTS = frozenset({"80", "443"})
ME = __name__


def rules() -> tuple[Rule, ...]:
    return (
        expect(
            "gke-nodes-are-private",
            "GKE nodes have no public address.",
            {CLUSTER: ("privateClusterConfig.enablePrivateNodes",)},
            one_of(True),
            "gives its nodes public addresses",
            "set privateClusterConfig.enablePrivateNodes to true",
            subject=ME, severity="high", frameworks=("CIS GKE 1.6 5.6.5", "NIST 800-53 SC-7"),
        ),
        ResourceRule(
            name="gke-endpoint-is-private",
            description="The API server of a GKE cluster is private or open to named addresses only.",
            check=public_endpoint,
            remedy="Set privateClusterConfig.enablePrivateEndpoint to true, or name addresses.",
            types=(CLUSTER,), severity="high",
            frameworks=("CIS GKE 1.6 5.6.3", "NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
        expect(
            "gke-has-workload-identity",
            "Pods in GKE act as service accounts of their own.",
            {CLUSTER: ("workloadIdentityConfig.workloadPool",)},
            there,
            "lets pods act as their machine",
            "set workloadIdentityConfig.workloadPool",
            subject=ME, severity="high", frameworks=("CIS GKE 1.6 5.2.2", "NIST 800-53 AC-6"),
        ),
        expect(
            "gke-secrets-are-encrypted",
            "Kubernetes secrets in GKE are encrypted with a key of your own.",
            {CLUSTER: ("databaseEncryption.state",)},
            one_of("ENCRYPTED"),
            "keeps secrets without a key of its own",
            "set databaseEncryption with a key",
            subject=ME, severity="high", frameworks=("CIS GKE 1.6 5.3.1", "NIST 800-53 SC-28"),
        ),
        expect(
            "gke-has-no-old-ways-in",
            "GKE takes no client certificates and no attribute-based access.",
            {CLUSTER: ("enableLegacyAbac", "masterAuth.clientCertificateConfig.issueClientCertificate")},
            absent_or(one_of(False)),
            "takes an old way of logging in",
            "set it to false",
            subject=ME, severity="high", frameworks=("CIS GKE 1.6 5.8.1", "NIST 800-53 IA-5"),
        ),
        expect(
            "gke-nodes-are-shielded",
            "Nodes prove that they booted what they should.",
            {CLUSTER: ("enableShieldedNodes",), POOL: ("nodeConfig.shieldedInstanceConfig.enableSecureBoot",)},
            one_of(True),
            "boots nodes unchecked",
            "switch shielded nodes and secure boot on",
            subject=ME, severity="medium", frameworks=("CIS GKE 1.6 5.5.5", "NIST 800-53 SI-7"),
            level="advisory",
        ),
        expect(
            "gke-nodes-have-an-account-of-their-own",
            "Nodes do not run as the project's default service account.",
            {POOL: ("nodeConfig.serviceAccount",)},
            lambda value: there(value) and str(value) != "default",
            "runs as the default service account",
            "name a service account with only what nodes need",
            subject=ME, severity="high", frameworks=("CIS GKE 1.6 5.2.1", "NIST 800-53 AC-6"),
        ),
        expect(
            "gke-nodes-hide-their-metadata",
            "Pods see the metadata of their workload, not of their machine.",
            {POOL: ("nodeConfig.workloadMetadataConfig.mode",)},
            one_of("GKE_METADATA"),
            "shows pods the machine's metadata",
            "set workloadMetadataConfig.mode to GKE_METADATA",
            subject=ME, severity="medium", frameworks=("CIS GKE 1.6 5.4.2", "NIST 800-53 AC-6"),
        ),
        expect(
            "gcs-access-is-uniform-and-not-public",
            "Buckets have no object ACLs and cannot be made public.",
            {BUCKET: ("uniformBucketLevelAccess", "publicAccessPrevention")},
            one_of(True, "enforced"),
            "can be opened object by object, or to everybody",
            "set uniformBucketLevelAccess to true and publicAccessPrevention to enforced",
            subject=ME, severity="high", frameworks=("CIS GCP 3.0 5.2", "NIST 800-53 AC-3"),
        ),
        expect(
            "sql-has-no-public-address",
            "Databases have no public address.",
            {SQL: ("settings.ipConfiguration.ipv4Enabled",)},
            one_of(False),
            "has a public address",
            "set settings.ipConfiguration.ipv4Enabled to false",
            subject=ME, severity="critical", frameworks=("CIS GCP 3.0 6.6", "NIST 800-53 SC-7"),
        ),
        expect(
            "sql-speaks-tls",
            "Databases take encrypted connections only.",
            {SQL: ("settings.ipConfiguration.sslMode",)},
            one_of("ENCRYPTED_ONLY", "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"),
            "takes connections in the clear",
            "set sslMode to ENCRYPTED_ONLY",
            subject=ME, severity="high", frameworks=("CIS GCP 3.0 6.4", "NIST 800-53 SC-8"),
        ),
        ResourceRule(
            name="firewalls-are-not-open-to-the-world",
            description="Only 80 and 443 may be reached from everywhere.",
            check=open_ports,
            remedy="Name the addresses in sourceRanges, or the ports in allows.",
            types=(FIREWALL,), severity="critical",
            frameworks=("CIS GCP 3.0 3.6", "CIS GCP 3.0 3.7", "NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
        expect(
            "crypto-keys-rotate",
            "Keys rotate.",
            {"gcp:kms/cryptoKey:CryptoKey": ("rotationPeriod",)},
            there,
            "is never rotated",
            "set rotationPeriod, such as 7776000s",
            subject=ME, severity="medium", frameworks=("CIS GCP 3.0 1.10", "NIST 800-53 SC-12"),
        ),
        expect(
            "service-accounts-have-no-keys",
            "Service accounts have no keys that could be copied; workload identity brings tokens.",
            {"gcp:serviceaccount/key:Key": ("serviceAccountId",)},
            lambda _: False,
            "is a key that never expires",
            "use workload identity federation instead",
            subject=ME, severity="high", frameworks=("CIS GCP 3.0 1.4", "NIST 800-53 IA-5"),
        ),
        expect(
            "subnets-keep-flow-logs",
            "Subnets keep flow logs.",
            {"gcp:compute/subnetwork:Subnetwork": ("logConfig",)},
            lambda value: isinstance(value, Mapping),
            "keeps no flow logs",
            "set logConfig",
            subject=ME, severity="low", frameworks=("CIS GCP 3.0 3.8", "NIST 800-53 AU-12"),
            level="advisory",
        ),
    )  # fmt: skip


def public_endpoint(resource: Resource) -> Iterator[str]:
    private = resource.get("privateClusterConfig.enablePrivateEndpoint")
    if is_unknown(private) or str(private).lower() == "true":
        return
    networks = resource.get("masterAuthorizedNetworksConfig")
    listed = resource.items("masterAuthorizedNetworksConfig.cidrBlocks")
    named = [str(one.get("cidrBlock")) for one in listed if isinstance(one, Mapping)]
    if not isinstance(networks, Mapping) or world(named):
        yield f"{resource.name} opens its API server to the internet; make it private or name addresses."


def open_ports(resource: Resource) -> Iterator[str]:
    ranges = {str(one) for one in resource.items("sourceRanges")}
    narrowed = resource.items("sourceTags") or resource.items("sourceServiceAccounts")
    direction, given = str(resource.get("direction") or "INGRESS"), resource.get("sourceRanges")
    if direction.upper() == "EGRESS" or is_unknown(given):
        return
    if not world(ranges) and (ranges or narrowed):
        return
    for allowed in resource.items("allows"):
        ports = allowed.get("ports") if isinstance(allowed, Mapping) else None
        if not isinstance(ports, list) or not {str(port) for port in ports} <= OPEN_PORTS:
            told = "all ports" if not ports else f"ports {', '.join(map(str, ports))}"
            yield f"{resource.name} opens {told} to the world; name the addresses in sourceRanges."
            return

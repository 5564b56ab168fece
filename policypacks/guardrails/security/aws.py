"""AWS: what is public, what is encrypted, what is logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gate import ResourceRule, Rule
from pricing.declared import UNKNOWNS, Resource, is_unknown

from security.expect import absent_or, expect, one_of, there, values, world

OPEN_PORTS = frozenset({443, 80})
"""What the whole internet may reach."""
GROUPS = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
)
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
LISTENER = "aws:lb/listener:Listener"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
CLUSTER = "aws:eks/cluster:Cluster"
PUBLIC_BLOCKS = (
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock",
)
WITH_ACL = (
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketV2:BucketV2",
    "aws:s3/bucketAcl:BucketAcl",
    "aws:s3/bucketAclV2:BucketAclV2",
)
PRIVATE_ACLS = (
    "private", "log-delivery-write", "bucket-owner-full-control", "bucket-owner-read", "",
    "http://acs.amazonaws.com/groups/s3/LogDelivery",
)  # fmt: skip
"""Canned ACLs, and groups that may be granted something."""
MODERN_TLS = ("ELBSecurityPolicy-TLS13-", "ELBSecurityPolicy-FS-1-2-", "ELBSecurityPolicy-TLS-1-2-")
DISKS = ("rootBlockDevice.encrypted", "ebsBlockDevices?.*.encrypted")
ME = __name__


def rules() -> tuple[Rule, ...]:
    return (*storage(), *machines(), *network(), *kubernetes(), *functions())


def storage() -> tuple[Rule, ...]:
    return (
        expect(
            "buckets-block-public-access",
            "S3 blocks public ACLs and policies of a bucket or an account.",
            dict.fromkeys(
                PUBLIC_BLOCKS,
                ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"),
            ),
            one_of(True),
            "lets a bucket be public",
            "set all four blocks to true",
            subject=ME, severity="critical",
            frameworks=("CIS AWS 3.0 2.1.4", "NIST 800-53 AC-3", "SOC 2 CC6.1"),
        ),
        expect(
            "buckets-are-not-public-by-acl",
            "No bucket has an ACL that opens it to everybody.",
            dict.fromkeys(WITH_ACL, ("acl", "grants?.*.uri", "accessControlPolicy?.grants?.*.grantee?.uri")),
            absent_or(one_of(*PRIVATE_ACLS)),
            "is open to more than its owner",
            "remove the ACL and grant access by a policy",
            subject=ME, severity="critical",
            frameworks=("CIS AWS 3.0 2.1.4", "NIST 800-53 AC-3", "SOC 2 CC6.1"),
        ),
        expect(
            "disks-are-encrypted",
            "Volumes, and the disks of instances and launch templates, are encrypted.",
            {
                "aws:ebs/volume:Volume": ("encrypted",),
                "aws:ec2/launchTemplate:LaunchTemplate": ("blockDeviceMappings.*.ebs.encrypted",),
                "aws:ec2/instance:Instance": DISKS,
                "aws:ec2/spotInstanceRequest:SpotInstanceRequest": DISKS,
                "aws:ec2/launchConfiguration:LaunchConfiguration": DISKS,
                "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": ("spec.blockDeviceMappings.*.ebs.encrypted",),
            },
            one_of(True),
            "keeps data on a disk that is not encrypted",
            "set encrypted to true, with a key of your own",
            subject=ME, severity="high",
            frameworks=("CIS AWS 3.0 2.2.1", "NIST 800-53 SC-28", "SOC 2 CC6.1"),
        ),
        expect(
            "databases-are-encrypted",
            "Databases and shared file systems are encrypted at rest.",
            {
                "aws:rds/instance:Instance": ("storageEncrypted",),
                "aws:rds/cluster:Cluster": ("storageEncrypted",),
                "aws:efs/fileSystem:FileSystem": ("encrypted",),
                "aws:docdb/cluster:Cluster": ("storageEncrypted",),
                "aws:redshift/cluster:Cluster": ("encrypted",),
                "aws:elasticache/replicationGroup:ReplicationGroup": ("atRestEncryptionEnabled",),
            },
            one_of(True),
            "keeps data unencrypted",
            "switch encryption at rest on; it cannot be added later",
            subject=ME, severity="high",
            frameworks=("CIS AWS 3.0 2.3.1", "NIST 800-53 SC-28", "SOC 2 CC6.1"),
        ),
        expect(
            "databases-are-not-public",
            "No database has a public address.",
            {
                "aws:rds/instance:Instance": ("publiclyAccessible",),
                "aws:rds/clusterInstance:ClusterInstance": ("publiclyAccessible",),
                "aws:redshift/cluster:Cluster": ("publiclyAccessible",),
            },
            absent_or(one_of(False)),
            "can be reached from the internet",
            "set publiclyAccessible to false",
            subject=ME, severity="critical",
            frameworks=("CIS AWS 3.0 2.3.3", "NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
        expect(
            "caches-encrypt-in-transit",
            "Caches speak TLS.",
            {"aws:elasticache/replicationGroup:ReplicationGroup": ("transitEncryptionEnabled",)},
            one_of(True),
            "sends data in the clear",
            "set transitEncryptionEnabled to true",
            subject=ME, severity="high", frameworks=("NIST 800-53 SC-8", "SOC 2 CC6.7"),
        ),
        expect(
            "topics-are-encrypted",
            "SNS topics are encrypted with a key.",
            {"aws:sns/topic:Topic": ("kmsMasterKeyId",)},
            there,
            "keeps messages unencrypted",
            "name a key in kmsMasterKeyId",
            subject=ME, severity="medium", frameworks=("NIST 800-53 SC-28", "SOC 2 CC6.1"),
        ),
        expect(
            "keys-rotate",
            "Customer keys rotate every year.",
            {"aws:kms/key:Key": ("enableKeyRotation",)},
            one_of(True),
            "is never rotated",
            "set enableKeyRotation to true",
            subject=ME, severity="medium",
            frameworks=("CIS AWS 3.0 3.6", "NIST 800-53 SC-12", "SOC 2 CC6.1"),
        ),
        expect(
            "registries-are-immutable-and-scanned",
            "A tag in an image registry cannot be moved, and images are scanned on push.",
            {
                "aws:ecr/repository:Repository": ("imageTagMutability", "imageScanningConfiguration.scanOnPush"),
            },
            one_of("IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", True),
            "takes images that may change or were not scanned",
            "set imageTagMutability to IMMUTABLE and scanOnPush to true",
            subject=ME, severity="medium",
            frameworks=("NIST 800-53 CM-7", "NIST 800-53 RA-5", "SOC 2 CC7.1"),
        ),
    )  # fmt: skip


def machines() -> tuple[Rule, ...]:
    return (
        expect(
            "metadata-asks-for-tokens",
            "Machines answer metadata requests with a token only (IMDSv2).",
            {
                "aws:ec2/launchTemplate:LaunchTemplate": ("metadataOptions.httpTokens",),
                "aws:ec2/instance:Instance": ("metadataOptions.httpTokens",),
                "aws:ec2/spotInstanceRequest:SpotInstanceRequest": ("metadataOptions.httpTokens",),
                "aws:ec2/launchConfiguration:LaunchConfiguration": ("metadataOptions.httpTokens",),
                "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": ("spec.metadataOptions.httpTokens",),
            },
            one_of("required"),
            "answers metadata requests without a token",
            "set httpTokens to required",
            subject=ME, severity="high",
            frameworks=("CIS AWS 3.0 5.6", "NIST 800-53 AC-6", "SOC 2 CC6.1"),
        ),
        expect(
            "pods-do-not-reach-metadata",
            "A pod is one hop too far from the machine's credentials.",
            {
                "aws:ec2/launchTemplate:LaunchTemplate": ("metadataOptions.httpPutResponseHopLimit",),
                "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": ("spec.metadataOptions.httpPutResponseHopLimit",),
            },
            absent_or(one_of(1, 1.0)),
            "lets pods ask for the machine's credentials",
            "set httpPutResponseHopLimit to 1 and give pods roles of their own",
            subject=ME, severity="medium", frameworks=("CIS EKS 1.6 4.2", "NIST 800-53 AC-6"),
        ),
        expect(
            "machines-have-no-public-address",
            "No instance and no subnet gives machines a public address.",
            {
                "aws:ec2/instance:Instance": ("associatePublicIpAddress",),
                "aws:ec2/launchTemplate:LaunchTemplate": ("networkInterfaces.*.associatePublicIpAddress",),
                "aws:ec2/subnet:Subnet": ("mapPublicIpOnLaunch",),
            },
            absent_or(one_of(False)),
            "gives machines a public address",
            "set it to false, and go out through a NAT gateway",
            subject=ME, severity="high", frameworks=("NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
    )  # fmt: skip


def network() -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="ports-are-not-open-to-the-world",
            description="Only 80 and 443 may be reached from everywhere.",
            check=open_ports,
            remedy="Name the addresses that need it, or put a load balancer in front.",
            types=(*GROUPS, GROUP_RULE, INGRESS_RULE), severity="critical",
            frameworks=("CIS AWS 3.0 5.2", "CIS AWS 3.0 5.3", "NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
        ResourceRule(
            name="listeners-speak-tls",
            description="Load balancers speak TLS 1.2 or newer; plain HTTP only sends on to HTTPS.",
            check=plain_listener,
            remedy="Use HTTPS with a policy such as ELBSecurityPolicy-TLS13-1-2-2021-06, and redirect HTTP.",
            types=(LISTENER,), severity="high",
            frameworks=("NIST 800-53 SC-8", "NIST 800-53 SC-13", "SOC 2 CC6.7"),
        ),
        expect(
            "load-balancers-drop-bad-headers",
            "Application load balancers drop headers that are not valid.",
            {"aws:lb/loadBalancer:LoadBalancer": ("dropInvalidHeaderFields",)},
            one_of(True),
            "passes headers on that are not valid",
            "set dropInvalidHeaderFields to true",
            subject=ME, severity="low", frameworks=("NIST 800-53 SI-10",),
        ),
        expect(
            "cdn-viewers-use-https",
            "CloudFront serves nothing over plain HTTP.",
            {
                DISTRIBUTION: (
                    "defaultCacheBehavior.viewerProtocolPolicy",
                    "orderedCacheBehaviors.*.viewerProtocolPolicy",
                ),
            },
            absent_or(one_of("redirect-to-https", "https-only")),
            "serves plain HTTP",
            "set viewerProtocolPolicy to redirect-to-https",
            subject=ME, severity="high", frameworks=("NIST 800-53 SC-8", "SOC 2 CC6.7"),
        ),
        expect(
            "cdn-origins-use-https",
            "CloudFront reaches its origins over TLS 1.2.",
            {DISTRIBUTION: ("origins.*.customOriginConfig.originProtocolPolicy",)},
            absent_or(one_of("https-only")),
            "reaches an origin over plain HTTP",
            "set originProtocolPolicy to https-only",
            subject=ME, severity="high", frameworks=("NIST 800-53 SC-8", "SOC 2 CC6.7"),
        ),
        ResourceRule(
            name="cdn-origins-use-tls-1-2",
            description="CloudFront speaks no TLS older than 1.2 to origins, nor to viewers under a name of its own.",
            check=old_tls,
            remedy="Set originSslProtocols to [TLSv1.2] and minimumProtocolVersion to TLSv1.2_2021.",
            types=(DISTRIBUTION,), severity="medium", frameworks=("NIST 800-53 SC-13",),
        ),
    )  # fmt: skip


def kubernetes() -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="eks-endpoint-is-private",
            description="The API server of an EKS cluster is not open to the internet.",
            check=public_endpoint,
            remedy="Set endpointPublicAccess to false, or name the addresses in publicAccessCidrs.",
            types=(CLUSTER,), severity="high",
            frameworks=("CIS EKS 1.6 5.4.1", "NIST 800-53 SC-7", "SOC 2 CC6.6"),
        ),
        expect(
            "eks-secrets-are-encrypted",
            "Kubernetes secrets in EKS are encrypted with a key of your own.",
            {CLUSTER: ("encryptionConfig.provider.keyArn",)},
            there,
            "keeps secrets without a key of its own",
            "set encryptionConfig for secrets",
            subject=ME, severity="high", frameworks=("CIS EKS 1.6 5.3.1", "NIST 800-53 SC-28"),
        ),
        ResourceRule(
            name="eks-writes-audit-logs",
            description="EKS keeps the logs of its API server, audit and authenticator.",
            check=unlogged,
            remedy="Add api, audit and authenticator to enabledClusterLogTypes.",
            types=(CLUSTER,), severity="medium",
            frameworks=("CIS EKS 1.6 2.1.1", "NIST 800-53 AU-2", "SOC 2 CC7.2"),
        ),
    )  # fmt: skip


def functions() -> tuple[Rule, ...]:
    return (
        expect(
            "function-urls-ask-who",
            "The address of a function asks for AWS credentials.",
            {"aws:lambda/functionUrl:FunctionUrl": ("authorizationType",)},
            one_of("AWS_IAM"),
            "answers everybody",
            "set authorizationType to AWS_IAM",
            subject=ME, severity="high", frameworks=("NIST 800-53 AC-3", "SOC 2 CC6.1"),
        ),
        expect(
            "trails-cover-all-regions-and-are-validated",
            "CloudTrail writes from all regions, with digests that show what was changed.",
            {"aws:cloudtrail/trail:Trail": ("isMultiRegionTrail", "enableLogFileValidation")},
            one_of(True),
            "leaves gaps in the audit log",
            "set isMultiRegionTrail and enableLogFileValidation to true",
            subject=ME, severity="medium",
            frameworks=("CIS AWS 3.0 3.1", "CIS AWS 3.0 3.2", "NIST 800-53 AU-12", "SOC 2 CC7.2"),
        ),
    )  # fmt: skip


def open_ports(resource: Resource) -> Iterator[str]:
    """Ingress from everywhere to a port that is neither 80 nor 443."""
    for rule in _ingress(resource):
        listed = [*_list(rule.get("cidrBlocks")), *_list(rule.get("ipv6CidrBlocks"))]
        listed += [rule.get("cidrIpv4"), rule.get("cidrIpv6")]
        if not world(listed):
            continue
        low, high = _port(rule.get("fromPort")), _port(rule.get("toPort"))
        everything = str(rule.get("protocol") or rule.get("ipProtocol")).lower() in {"-1", "all"}
        if everything or low is None or high is None or low != high or low not in OPEN_PORTS:
            ports = "all ports" if everything or low is None else f"ports {low} to {high}"
            yield f"{resource.name} opens {ports} to the world; name the addresses that need it."


def _ingress(resource: Resource) -> list[Mapping[str, Any]]:
    if resource.type in GROUPS:
        return [rule for rule in resource.items("ingress") if isinstance(rule, Mapping)]
    if resource.type == GROUP_RULE and resource.get("type") != "ingress":
        return []
    return [resource.inputs]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _port(value: Any) -> int | None:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None


def plain_listener(resource: Resource) -> Iterator[str]:
    protocol = str(resource.get("protocol") or "HTTP")
    if is_unknown(protocol):
        return
    if protocol in {"HTTPS", "TLS"}:
        policy = resource.get("sslPolicy")
        if not is_unknown(policy) and not str(policy or "").startswith(MODERN_TLS):
            seen = policy or "the provider's default"
            yield f"{resource.name} allows TLS below 1.2: `sslPolicy` is {seen}; choose a TLS13-1-2 policy."
        return
    actions = [action for action in resource.items("defaultActions") if isinstance(action, Mapping)]
    sent_on = [list(values(action, "redirect.protocol")) == ["HTTPS"] for action in actions]
    if protocol == "HTTP" and not (sent_on and all(sent_on)):
        yield f"{resource.name} serves plain HTTP; serve HTTPS, and redirect this listener to it."


def old_tls(resource: Resource) -> Iterator[str]:
    for protocols in values(resource.inputs, "origins.*.customOriginConfig.originSslProtocols"):
        old = set(map(str, _list(protocols))) - {"TLSv1.2"} - UNKNOWNS
        if old:
            told = ", ".join(sorted(old))
            yield f"{resource.name} speaks {told} to an origin; set originSslProtocols to [TLSv1.2]."
            break
    certificate = resource.get("viewerCertificate")
    if isinstance(certificate, Mapping) and not certificate.get("cloudfrontDefaultCertificate"):
        least = str(certificate.get("minimumProtocolVersion") or "not set")
        if not is_unknown(least) and not least.startswith(("TLSv1.2", "TLSv1.3")):
            yield f"{resource.name} speaks old TLS: `minimumProtocolVersion` is {least}; use TLSv1.2_2021."


def public_endpoint(resource: Resource) -> Iterator[str]:
    public = resource.get("vpcConfig.endpointPublicAccess")
    if is_unknown(public) or str(public).lower() == "false":
        return
    allowed = resource.get("vpcConfig.publicAccessCidrs")
    if is_unknown(allowed):
        return
    if not _list(allowed) or world(_list(allowed)):
        yield f"{resource.name} opens its API server to the internet; set endpointPublicAccess to false."


def unlogged(resource: Resource) -> Iterator[str]:
    listed = resource.get("enabledClusterLogTypes")
    if is_unknown(listed):
        return
    missing = {"api", "audit", "authenticator"} - set(map(str, _list(listed)))
    if missing and not UNKNOWNS.intersection(map(str, _list(listed))):
        told = ", ".join(sorted(missing))
        yield f"{resource.name} keeps no logs of {told}; add them to enabledClusterLogTypes."

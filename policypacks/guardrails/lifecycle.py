"""Nothing is kept for longer than it is needed: experiments, logs, images, and what hangs on nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from gate import Finding, ResourceRule, Rule, StackRule, today
from pricing.declared import Declared, Resource, is_unknown
from pricing.labels import key_on, labelled

PRODUCTION = frozenset({"prod", "production"})
LOG_GROUP, REPOSITORY = "aws:cloudwatch/logGroup:LogGroup", "aws:ecr/repository:Repository"
VOLUME, ADDRESS = "aws:ebs/volume:Volume", "aws:ec2/eip:Eip"
DISK = "gcp:compute/disk:Disk"
BUCKETS = {
    "aws:s3/bucket:Bucket": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketV2:BucketV2": "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
    "gcp:storage/bucket:Bucket": "",
}
"""Buckets, and the resource that may hold their rules."""
ATTACHED_BY = {
    VOLUME: (("aws:ec2/volumeAttachment:VolumeAttachment", "volumeId"),),
    ADDRESS: (
        ("aws:ec2/natGateway:NatGateway", "allocationId"),
        ("aws:ec2/eipAssociation:EipAssociation", "allocationId"),
        ("aws:lb/loadBalancer:LoadBalancer", "subnetMappings"),
    ),
    DISK: (
        ("gcp:compute/attachedDisk:AttachedDisk", "disk"),
        ("gcp:compute/instance:Instance", "attachedDisks"),
        ("gcp:compute/instance:Instance", "bootDisk"),
    ),
}
OWN_TARGETS = {ADDRESS: ("instance", "networkInterface")}


def rules() -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="experiments-expire",
            description="Outside production whatever carries tags says until when it is needed, and is not past it.",
            check=lambda resource: overdue(resource, today()),
            remedy="Set the tag `expires` to a day such as 2026-12-31, or delete what is past it.",
            frameworks=("NIST 800-53 CM-8",),
        ),
        ResourceRule(
            name="logs-are-not-kept-for-ever",
            description="Log groups state how long they are kept.",
            check=endless_logs,
            remedy="Set retentionInDays.",
            types=(LOG_GROUP,),
            frameworks=("GDPR Art. 5(1)(e)", "NIST 800-53 AU-11"),
        ),
        StackRule(
            name="buckets-let-go",
            description="Buckets have rules by which old objects or old versions of them are deleted.",
            check=endless_buckets,
            remedy="Add a lifecycle configuration.",
            level="advisory",
            frameworks=("GDPR Art. 5(1)(e)", "NIST 800-53 SI-12"),
        ),
        StackRule(
            name="registries-let-go",
            description="Image registries delete images that nobody runs any more.",
            check=endless_registries,
            remedy="Add an ECR LifecyclePolicy.",
            level="advisory",
            frameworks=("NIST 800-53 SI-12",),
        ),
        StackRule(
            name="nothing-hangs-on-nothing",
            description="Each volume, disk and address is attached to something.",
            check=unattached,
            remedy="Attach it, or remove it.",
            frameworks=("NIST 800-53 CM-8",),
        ),
    )  # fmt: skip


def overdue(resource: Resource, day: date) -> Iterator[str]:
    found = labelled(resource)
    environment = found.tags.get(key_on(resource.cloud, "environment"))
    if found.state != "taggable" or not isinstance(environment, str) or is_unknown(environment):
        return
    if environment.lower() in PRODUCTION:
        return
    said = found.tags.get(key_on(resource.cloud, "expires"))
    if is_unknown(said):
        return
    try:
        expires = date.fromisoformat(str(said))
    except ValueError:
        problem = "says no day until which it is needed" if said is None else f"expires {said!r}"
        yield f"{resource.name} {problem}; set `expires` to a day such as 2026-12-31 under `{found.where}`."
        return
    if expires < day:
        yield f"{resource.name} expired on {expires}; delete it, or move the day."


def endless_logs(resource: Resource) -> Iterator[str]:
    days = resource.get("retentionInDays")
    if not is_unknown(days) and not resource.number("retentionInDays"):
        yield f"{resource.name} keeps its logs for ever; set retentionInDays."


def endless_buckets(declared: Declared) -> Iterator[Finding]:
    for kind, rules_of in BUCKETS.items():
        for bucket in declared.of_type(kind):
            own = bucket.get("lifecycleRules")
            if not own and not (rules_of and declared.pointing(rules_of, "bucket", bucket)):
                yield Finding(f"{bucket.name} never deletes anything; add a lifecycle.", bucket.urn)


def endless_registries(declared: Declared) -> Iterator[Finding]:
    for registry in declared.of_type(REPOSITORY):
        if not declared.pointing("aws:ecr/lifecyclePolicy:LifecyclePolicy", "repository", registry):
            yield Finding(
                f"{registry.name} never deletes an image; add a LifecyclePolicy.", registry.urn
            )


def unattached(declared: Declared) -> Iterator[Finding]:
    for kind, users in ATTACHED_BY.items():
        for resource in declared.of_type(kind):
            used = any(declared.pointing(user, key, resource) for user, key in users)
            if not used and not any(resource.get(key) for key in OWN_TARGETS.get(kind, ())):
                yield Finding(
                    f"{resource.name} is attached to nothing; attach or remove it.", resource.urn
                )

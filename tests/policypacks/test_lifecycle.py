"""Experiments end, logs end, and nothing hangs on nothing."""

from __future__ import annotations

from datetime import date

import lifecycle
import pytest
from pricing.declared import UNKNOWN, of_preview
from samples import TAGS, state

DAY = date(2026, 11, 25)
DEV = {**TAGS, "environment": "dev"}


def overdue(tags):
    [resource] = of_preview([state("aws:s3/bucket:Bucket", "scratch", {"tags": tags})])
    return list(lifecycle.overdue(resource, DAY))


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (TAGS, None),
        ({**DEV, "expires": "2026-12-31"}, None),
        ({**DEV, "expires": "2026-11-25"}, None),
        ({**DEV, "expires": UNKNOWN}, None),
        (DEV, "says no day until which it is needed; set `expires`"),
        ({**DEV, "expires": ""}, "expires ''"),
        ({**DEV, "expires": "never"}, "expires 'never'"),
        ({**DEV, "expires": "2026-11-24"}, "expired on 2026-11-24"),
        ({**DEV, "Expires": "2026-12-31"}, "says no day"),
        ({**TAGS, "environment": "Prod"}, None),
    ],
)
def test_an_experiment_says_until_when(tags, said):
    found = overdue(tags)
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


@pytest.mark.parametrize(
    ("days", "blocked"), [(30.0, False), (UNKNOWN, False), (0, True), (None, True)]
)
def test_logs_end(days, blocked):
    [group] = of_preview(
        [state("aws:cloudwatch/logGroup:LogGroup", "logs", {"retentionInDays": days})]
    )
    assert bool(list(lifecycle.endless_logs(group))) is blocked


def said(check, *resources):
    return [found.message for found in check(of_preview(resources))]


def test_a_volume_and_an_address_hang_on_something():
    volume, address = state("aws:ebs/volume:Volume", "disk"), state("aws:ec2/eip:Eip", "address")
    assert said(lifecycle.unattached, volume, address) == [
        "disk is attached to nothing; attach or remove it.",
        "address is attached to nothing; attach or remove it.",
    ]
    attachment = state(
        "aws:ec2/volumeAttachment:VolumeAttachment", "use", needs={"volumeId": [volume]}
    )
    gateway = state("aws:ec2/natGateway:NatGateway", "nat", needs={"allocationId": [address]})
    assert said(lifecycle.unattached, volume, address, attachment, gateway) == []
    own = state("aws:ec2/eip:Eip", "address", {"instance": "i-1"})
    assert said(lifecycle.unattached, own) == []


def test_buckets_and_registries_let_go():
    bucket = state("aws:s3/bucket:Bucket", "photos")
    rules = state(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "r",
        needs={"bucket": [bucket]},
    )  # fmt: skip
    assert said(lifecycle.endless_buckets, bucket)
    assert said(lifecycle.endless_buckets, bucket, rules) == []
    google = state("gcp:storage/bucket:Bucket", "g", {"lifecycleRules": [{"action": {}}]})
    assert said(lifecycle.endless_buckets, google) == []
    registry = state("aws:ecr/repository:Repository", "images")
    assert said(lifecycle.endless_registries, registry)

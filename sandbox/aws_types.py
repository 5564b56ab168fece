"""The AWS types that the sandbox knows: held by moto, or only recorded. Others are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sandbox import aws_balancing, aws_compute, aws_ec2, aws_edge, aws_shared, aws_storage
from sandbox.aws import Type

FAMILIES = (aws_shared, aws_storage, aws_ec2, aws_compute, aws_balancing, aws_edge)
TYPES: Mapping[str, Type] = {row.token: row for family in FAMILIES for row in family.ROWS}

RECORDED = frozenset(
    {
        "aws:costexplorer/anomalyMonitor:AnomalyMonitor",
        "aws:costexplorer/anomalySubscription:AnomalySubscription",
        "aws:ec2/availabilityZoneGroup:AvailabilityZoneGroup",
        "aws:ec2/capacityReservation:CapacityReservation",
        "aws:eks/accessEntry:AccessEntry",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "aws:eks/addon:Addon",
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        "aws:globalaccelerator/accelerator:Accelerator",
        "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
    }
)
"""Types that moto 5.2 has no backend for."""

DROPPED: Mapping[str, Mapping[str, str]] = json.loads(
    (Path(__file__).parent / "dropped.json").read_text()
)
"""Type -> input -> what becomes of it: reviewed, and held true by tests/sandbox/test_aws_types."""

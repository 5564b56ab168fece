"""Nodes as we want all of them, and groups of them that follow a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from components.schedule import Change, slug

DISK_DEVICE = "/dev/xvda"
"""The root disk of Amazon Linux 2023."""


def launch_template(
    name: str,
    region: str,
    key_arn: pulumi.Input[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
    *,
    disk_gib: int,
    disk_type: str = "gp3",
    **more: Any,
) -> aws.ec2.LaunchTemplate:
    """IMDSv2 only, out of reach of pods; an encrypted disk; tags on what is launched."""
    return aws.ec2.LaunchTemplate(
        name,
        update_default_version=True,
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        },
        block_device_mappings=[
            {
                "device_name": DISK_DEVICE,
                "ebs": {
                    "volume_size": disk_gib,
                    "volume_type": disk_type,
                    "encrypted": "true",
                    "kms_key_id": key_arn,
                    "delete_on_termination": "true",
                },
            }
        ],
        tag_specifications=[
            {"resource_type": kind, "tags": dict(tags)}
            for kind in ("instance", "volume", "network-interface")
        ],
        tags=tags,
        region=region,
        opts=opts,
        **more,
    )


def follow(
    name: str,
    group: pulumi.Input[str],
    region: str,
    moves: Sequence[Change],
    opts: pulumi.ResourceOptions,
) -> None:
    """Scheduled actions that set an auto scaling group's size, all of it, at each change."""
    most = max(1, *(move.size for move in moves))
    for move in moves:
        action = f"{name}-{slug(move.recurrence)}"
        aws.autoscaling.Schedule(
            action,
            scheduled_action_name=action,
            autoscaling_group_name=group,
            recurrence=move.recurrence,
            time_zone="Etc/UTC",
            min_size=move.size,
            desired_capacity=move.size,
            max_size=most,
            region=region,
            opts=opts,
        )

"""Logs of what we run, kept for a quarter."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

RETENTION_DAYS = 90


def log_group(
    name: str, path: str, region: str, tags: Mapping[str, str], opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    made: pulumi.Resource = aws.cloudwatch.LogGroup(
        name,
        name=path,
        retention_in_days=RETENTION_DAYS,
        tags=tags,
        region=region,
        opts=opts,
    )
    return made

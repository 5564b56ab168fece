"""Resource options, a little shorter."""

from __future__ import annotations

from typing import Any

import pulumi


def also(opts: pulumi.ResourceOptions, **more: Any) -> pulumi.ResourceOptions:
    """The same options and some more."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(**more))

"""How clients come in, for the records and the CDN in front."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class AtBalancer:
    """An AWS load balancer: records are aliases of its name."""

    host: str
    """The name by which the balancer knows the app."""
    dns_name: pulumi.Output[str]
    zone_id: pulumi.Output[str]
    public: bool


@dataclass(frozen=True)
class AtAddress:
    """A fixed address."""

    host: str
    address: pulumi.Output[str]


@dataclass(frozen=True)
class AtUrl:
    """An address of the cloud's own, with TLS; callers sign, so no record can stand in for it."""

    url: pulumi.Output[str]


Entrance = AtBalancer | AtAddress | AtUrl

"""Local Zones, which moto does not know: it would refuse their subnets."""

from __future__ import annotations

LOCAL_ZONES = {
    "us-east-1": (
        *("atl-1a", "atl-2a", "bos-1a", "chi-1a", "chi-2a", "dfw-1a", "dfw-2a", "iah-1a"),
        *("iah-2a", "mci-1a", "mia-1a", "mia-2a", "msp-1a", "nyc-1a", "nyc-2a", "phl-1a"),
    ),
    "us-west-2": (
        *("den-1a", "hnl-1a", "las-1a", "lax-1a", "lax-1b", "pdx-1a", "phx-1a", "phx-2a"),
        "sea-1a",
    ),
    "eu-central-1": ("ham-1a", "waw-1a"),
    "eu-north-1": ("cph-1a", "hel-1a"),
    "ap-south-1": ("ccu-1a", "del-1a"),
}
"""By region, without its name in front (aws.amazon.com, "AWS Local Zones Locations", 2025)."""


def open_local_zones() -> None:
    """Let moto take subnets there. Whether an account opted in is not looked at."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone

    for region, short_names in LOCAL_ZONES.items():
        # A key of their own: moto makes a default subnet in each zone of a region.
        RegionsAndZonesBackend.zones[f"{region}, Local Zones"] = [
            Zone(f"{region}-{short}", region, f"{region}-{short[:-1]}-z{short[-1]}", "local-zone")
            for short in short_names
        ]

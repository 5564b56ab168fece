"""What the network takes between users and a place, there and back.

An estimate, until it is measured: great-circle distance x 2.1, the rule of thumb of Bozkurt et al., "Dissecting Latency
in the Internet's Fiber Infrastructure" (arXiv 1811.10737, abstract), at the speed of light in fibre, two thirds of that
in vacuum; and the way to the mobile network's edge. The points are cities that the clouds name for their regions, and
cities near the middle of an area's users, to a tenth of a degree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from forecasting.placement.tables import PlacementError
from stacks.records import parent_region

FIBRE_KM_PER_MS = 200.0
PATH_STRETCH = 2.1
LAST_MILE_MS = 50.0
"""From the phone into the core of its network, at the 95th percentile: the upper part of what 4G takes. In a CDN's data
only one mobile user in twenty regularly sees less than 20 ms (Rizvi et al., arXiv 2507.18834, abstract)."""
EARTH_RADIUS_KM = 6371.0

Point = tuple[float, float]
AREAS: Mapping[str, Point] = {
    "us-east": (40.7, -74.0), "us-central": (38.6, -94.6), "us-west": (36.8, -120.5),
    "canada": (43.7, -79.4), "mexico": (19.4, -99.1), "brazil": (-23.5, -46.6), "south-america": (-12.0, -77.0),
    "uk": (52.5, -1.9), "eu-west": (48.9, 2.4), "eu-central": (50.1, 10.5), "eu-south": (42.0, 8.0),
    "eu-north": (59.3, 18.1), "eu-east": (50.0, 22.0),
    "middle-east": (30.0, 42.0), "africa-north": (32.0, 10.0), "africa-west": (6.5, 3.4),
    "africa-east": (-1.3, 36.8), "africa-south": (-26.2, 28.0),
    "india": (19.1, 72.9), "southeast-asia": (5.0, 105.0), "china": (31.2, 121.5), "japan": (35.7, 139.7),
    "korea": (37.6, 127.0), "oceania": (-33.9, 151.2),
}  # fmt: skip
PLACES: Mapping[str, Point] = {
    "aws:us-east-1": (39.0, -77.5), "aws:us-east-2": (40.0, -83.0), "aws:us-west-1": (37.4, -122.0),
    "aws:us-west-2": (45.8, -119.7), "aws:ca-central-1": (45.5, -73.6), "aws:ca-west-1": (51.0, -114.1),
    "aws:mx-central-1": (20.6, -100.4), "aws:sa-east-1": (-23.5, -46.6),
    "aws:eu-west-1": (53.3, -6.3), "aws:eu-west-2": (51.5, -0.1), "aws:eu-west-3": (48.9, 2.4),
    "aws:eu-central-1": (50.1, 8.7), "aws:eu-central-2": (47.4, 8.5), "aws:eu-north-1": (59.3, 18.1),
    "aws:eu-south-1": (45.5, 9.2), "aws:eu-south-2": (41.6, -0.9), "aws:il-central-1": (32.1, 34.8),
    "aws:me-south-1": (26.1, 50.6), "aws:me-central-1": (24.5, 54.4), "aws:af-south-1": (-33.9, 18.4),
    "aws:ap-south-1": (19.1, 72.9), "aws:ap-south-2": (17.4, 78.5), "aws:ap-southeast-1": (1.4, 103.8),
    "aws:ap-southeast-2": (-33.9, 151.2), "aws:ap-southeast-3": (-6.2, 106.8), "aws:ap-southeast-4": (-37.8, 145.0),
    "aws:ap-southeast-5": (3.1, 101.7), "aws:ap-southeast-7": (13.8, 100.5), "aws:ap-northeast-1": (35.7, 139.7),
    "aws:ap-northeast-2": (37.6, 127.0), "aws:ap-northeast-3": (34.7, 135.5), "aws:ap-east-1": (22.3, 114.2),
    "aws:us-east-1-atl": (33.7, -84.4), "aws:us-east-1-bos": (42.4, -71.1), "aws:us-east-1-chi": (41.9, -87.6),
    "aws:us-east-1-dfw": (32.8, -96.8), "aws:us-east-1-iah": (29.8, -95.4), "aws:us-east-1-mci": (39.1, -94.6),
    "aws:us-east-1-mia": (25.8, -80.2), "aws:us-east-1-msp": (45.0, -93.3), "aws:us-east-1-nyc": (40.7, -74.0),
    "aws:us-east-1-phl": (40.0, -75.2), "aws:us-west-2-den": (39.7, -105.0), "aws:us-west-2-las": (36.2, -115.1),
    "aws:us-west-2-lax": (34.1, -118.2), "aws:us-west-2-pdx": (45.5, -122.7), "aws:us-west-2-phx": (33.4, -112.1),
    "aws:us-west-2-sea": (47.6, -122.3),
    "gcp:us-central1": (41.3, -95.9), "gcp:us-east1": (33.2, -80.0), "gcp:us-east4": (39.0, -77.5),
    "gcp:us-east5": (40.0, -83.0), "gcp:us-south1": (32.8, -96.8), "gcp:us-west1": (45.6, -121.2),
    "gcp:us-west2": (34.1, -118.2), "gcp:us-west3": (40.8, -111.9), "gcp:us-west4": (36.2, -115.1),
    "gcp:northamerica-northeast1": (45.5, -73.6), "gcp:northamerica-northeast2": (43.7, -79.4),
    "gcp:southamerica-east1": (-23.5, -46.6), "gcp:southamerica-west1": (-33.4, -70.7),
    "gcp:europe-west1": (50.5, 3.8), "gcp:europe-west2": (51.5, -0.1), "gcp:europe-west3": (50.1, 8.7),
    "gcp:europe-west4": (53.4, 6.8), "gcp:europe-west6": (47.4, 8.5), "gcp:europe-west8": (45.5, 9.2),
    "gcp:europe-west9": (48.9, 2.4), "gcp:europe-west10": (52.5, 13.4), "gcp:europe-west12": (45.1, 7.7),
    "gcp:europe-north1": (60.6, 27.2), "gcp:europe-central2": (52.2, 21.0), "gcp:europe-southwest1": (40.4, -3.7),
    "gcp:me-west1": (32.1, 34.8), "gcp:me-central1": (25.3, 51.5), "gcp:africa-south1": (-26.2, 28.0),
    "gcp:asia-south1": (19.1, 72.9), "gcp:asia-south2": (28.6, 77.2), "gcp:asia-southeast1": (1.4, 103.8),
    "gcp:asia-southeast2": (-6.2, 106.8), "gcp:asia-east1": (24.1, 120.5), "gcp:asia-east2": (22.3, 114.2),
    "gcp:asia-northeast1": (35.7, 139.7), "gcp:asia-northeast2": (34.7, 135.5), "gcp:asia-northeast3": (37.6, 127.0),
    "gcp:australia-southeast1": (-33.9, 151.2), "gcp:australia-southeast2": (-37.8, 145.0),
}  # fmt: skip
"""Regions, and the cities of Local Zones."""


def network_ms(
    areas: Iterable[str],
    locations: Iterable[str],
    measured: Mapping[tuple[str, str], float] | None = None,
) -> dict[tuple[str, str], float]:
    """Milliseconds there and back at the 95th percentile, by (area, location): measured, else estimated.

    Raises PlacementError for a location that is neither measured nor known.
    """
    locations = tuple(locations)
    known = measured or {}
    return {
        (area, location): known[area, location]
        if (area, location) in known
        else estimated_ms(area, location)
        for area in areas
        for location in locations
    }


def estimated_ms(area: str, location: str) -> float:
    """Raises PlacementError where nobody has typed in where the location is."""
    place = PLACES.get(_city(location))
    if place is None:
        raise PlacementError(
            f"{location}: where it is is not known; give its rows in --network, "
            f"such as {area},{location},80"
        )
    km = great_circle_km(AREAS[area], place)
    return LAST_MILE_MS + 2 * km * PATH_STRETCH / FIBRE_KM_PER_MS


def great_circle_km(here: Point, there: Point) -> float:
    """Haversine formula; the two points are latitude and longitude in degrees."""
    (lat_1, lon_1), (lat_2, lon_2) = (tuple(map(math.radians, point)) for point in (here, there))
    half = (
        math.sin((lat_2 - lat_1) / 2) ** 2
        + math.cos(lat_1) * math.cos(lat_2) * math.sin((lon_2 - lon_1) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def _city(location: str) -> str:
    """`aws:us-east-1-bos-1a` -> `aws:us-east-1-bos`; a region as it is."""
    return location if parent_region(location) == location else location.rsplit("-", 1)[0]

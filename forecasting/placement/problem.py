"""What there is to decide: for each app, who asks, where it could run, on what, and what that costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from forecasting.placement.latency import network_ms
from forecasting.placement.tables import HOURS, Array
from forecasting.telemetry.demand import Demand
from stacks.machines import gpu_machine
from stacks.records import (
    HOURS_A_WEEK,
    App,
    GpuServing,
    PlannerLimits,
    Stack,
    is_local_zone,
    parent_region,
)

HOURS_A_MONTH = 730
SERVERLESS = "serverless"
"""Stands where a GPU would, for apps without one."""
USUAL_UTILISATION = 0.7
"""Load of a replica, as a share of what it serves, where no planned target stands yet."""
ReplicaPrice = Callable[[str, str, str], float | None]
"""(app, location, GPU) -> USD for a replica-hour, None where there is no price."""
ClusterPrice = Callable[[str], float | None]
"""Region -> USD an hour for what a cluster there costs before any app."""
Users = Mapping[str, Mapping[str, Array]]
"""[hour of the day in UTC] share of an app's requests, by app and area."""


@dataclass(frozen=True)
class Choice:
    """Where an app runs, and on what."""

    locations: tuple[str, ...]
    gpu: str

    def __str__(self) -> str:
        return f"{self.gpu} at {', '.join(self.locations)}"


@dataclass(frozen=True)
class AppTerms:
    """One app: demand by area, what it could run on, and what it promises."""

    name: str
    areas: tuple[str, ...]
    typical_rps: Array
    """[hour of the week in UTC from Monday, area] mean of the window's hourly peaks."""
    busiest_rps: Array
    """[hour of the week, area] the most of the window."""
    rps_per_replica: Mapping[str, float]
    """By GPU, at the utilisation that the autoscaler aims at."""
    replica_usd: Mapping[tuple[str, str], float]
    """USD a month for one replica, by (location, GPU): all the options there are."""
    network_ms: Mapping[tuple[str, str], float]
    """By (area, location)."""
    network_p95_ms: float
    budget_usd: float
    now: Choice
    barred: frozenset[str] = frozenset()
    """Locations where data of this class may not live."""
    cluster_usd: Mapping[str, float] = field(default_factory=dict)
    """USD a month by region for a cluster of the app's own; empty where it shares, or needs none."""
    shares_cluster: bool = True
    gpus_per_replica: int = 1
    min_locations: int = 1
    stays: str = ""
    """Why the app may not be moved; '' where it may."""
    utilisation: float = USUAL_UTILISATION


@dataclass(frozen=True)
class Problem:
    """All apps that can be judged, and what they share."""

    apps: tuple[AppTerms, ...]
    cluster_usd: Mapping[str, float] = field(default_factory=dict)
    """USD a month by region, once for all apps that share the cluster there."""
    open_anyway: frozenset[str] = frozenset()
    """Regions whose shared cluster stands for apps that are not judged."""
    quotas: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """GPUs by (location, GPU) that are left for the apps judged."""
    budget_usd: float | None = None
    """A month, for the apps judged together; None: no limit."""
    limits: PlannerLimits = field(default_factory=PlannerLimits)
    unjudged: Mapping[str, str] = field(default_factory=dict)
    """Why an app is left out."""
    unpriced: tuple[str, ...] = ()
    """Options that were left out for want of a price."""


class _Unjudged(Exception):
    """An app cannot be judged; the text says why."""


def problem(
    stack: Stack,
    demand: Demand,
    replica_price: ReplicaPrice,
    cluster_price: ClusterPrice,
    *,
    users: Users | None = None,
    measured_ms: Mapping[tuple[str, str], float] | None = None,
) -> Problem:
    """What `stack` leaves open, for demand as it was measured.

    Args:
        stack: what people wrote, and the capacity that stands.
        demand: what `telemetry.read` gave; an app's demand is the sum over its locations.
        replica_price: (app, location, GPU) -> USD for a replica-hour.
        cluster_price: region -> USD an hour for a cluster without apps.
        users: instead of the stack's own, from `read_users`.
        measured_ms: network times on top of the estimates, from `read_network`.

    Raises PlacementError for a location whose network time is neither measured nor to be estimated.
    """
    made = _Maker(stack, demand, replica_price, cluster_price, users or {}, measured_ms or {})
    return made.problem()


@dataclass
class _Maker:
    stack: Stack
    demand: Demand
    replica_price: ReplicaPrice
    cluster_price: ClusterPrice
    users: Users
    measured_ms: Mapping[tuple[str, str], float]
    unpriced: list[str] = field(default_factory=list)

    def problem(self) -> Problem:
        judged: list[AppTerms] = []
        unjudged: dict[str, str] = {}
        for name, app in self.stack.apps.items():
            try:
                judged.append(self._terms(name, app))
            except _Unjudged as reason:
                unjudged[name] = str(reason)
        others = {name: self.stack.apps[name] for name in unjudged}
        regions = {location for terms in judged for location, _ in terms.replica_usd}
        return Problem(
            apps=tuple(judged),
            cluster_usd=self._clusters(regions),
            open_anyway=frozenset(
                region for app in others.values() if _shares(app) for region in app.regions
            ),
            quotas=self._quotas_left(others),
            budget_usd=self._budget_left(others),
            limits=self.stack.portfolio.limits,
            unjudged=unjudged,
            unpriced=tuple(self.unpriced),
        )

    def _terms(self, name: str, app: App) -> AppTerms:
        if name not in self.users and not app.users:
            raise _Unjudged(f"where its users are is not known; add apps.{name}.users")
        if app.slo.network_p95_ms is None:
            raise _Unjudged(
                f"the network's part of the SLO is not known; add apps.{name}.slo.network_p95_ms"
            )
        shares = self._shares(name, app)
        typical, busiest = self._weeks(name, app)
        by_hour = np.array([np.tile(hours, HOURS_A_WEEK // HOURS) for hours in shares.values()]).T
        options = self._options(name, app)
        now = Choice(app.locations, _own_gpu(app))
        standing = [
            capacity.target_utilisation for capacity in self.stack.capacity.get(name, {}).values()
        ]
        utilisation = min(standing, default=USUAL_UTILISATION)
        claims: dict[str, float] = {now.gpu: app.serving.rps_per_replica}
        claims.update((str(gpu), rps) for gpu, rps in app.placement.rps_per_replica.items())
        locations = dict.fromkeys(location for location, _ in options)
        own_cluster = isinstance(app.serving, GpuServing) and app.serving.own_cluster
        return AppTerms(
            name=name,
            areas=tuple(shares),
            typical_rps=typical[:, None] * by_hour,
            busiest_rps=busiest[:, None] * by_hour,
            rps_per_replica={gpu: rps * utilisation for gpu, rps in claims.items()},
            replica_usd=options,
            network_ms=network_ms(shares, locations, self.measured_ms),
            network_p95_ms=app.slo.network_p95_ms,
            budget_usd=app.budget.monthly_usd,
            now=now,
            barred=frozenset(place for place in locations if not self._may_live(app, place)),
            cluster_usd=self._clusters(locations) if own_cluster else {},
            shares_cluster=_shares(app),
            gpus_per_replica=app.serving.gpus_per_replica
            if isinstance(app.serving, GpuServing)
            else 0,
            min_locations=app.placement.min_locations,
            stays=_stays(app, self.demand.end),
            utilisation=utilisation,
        )

    def _shares(self, name: str, app: App) -> dict[str, Array]:
        """[hour of the day] by area, those with users, adding up to 1."""
        written = {str(area): np.full(HOURS, share) for area, share in app.users.items()}
        given = self.users.get(name, written)
        total = np.sum(list(given.values()), axis=0)
        return {area: share / total for area, share in given.items() if share.any()}

    def _weeks(self, name: str, app: App) -> tuple[Array, Array]:
        """Mean and most of each hour of the week, over all places of the app together."""
        columns = [(name, place) for place in app.locations]
        if missing := [
            place
            for key, place in zip(columns, app.locations, strict=True)
            if key not in self.demand.hourly
        ]:
            raise _Unjudged(
                f"no demand is recorded at {', '.join(missing)}; check the labels of the source"
            )
        total = self.demand.hourly[columns].sum(axis=1, skipna=False).dropna()
        least = self.stack.portfolio.limits.min_history_days
        if len(total) < 24 * least:
            raise _Unjudged(
                f"{len(total) / 24:.1f} days of demand, fewer than limits.min_history_days {least:g}"
            )
        index = pd.DatetimeIndex(total.index)
        hour_of_day = total.groupby(index.hour)
        by_hour = total.groupby(index.day_of_week * 24 + index.hour)
        week = range(HOURS_A_WEEK)
        mean, most = (
            # An hour of the week that was never heard is like the same hour of other days.
            week_hours.reindex(week).fillna(
                pd.Series({h: day_hours.get(h % 24) for h in week}, dtype=float)
            )
            for week_hours, day_hours in (
                (by_hour.mean(), hour_of_day.mean()),
                (by_hour.max(), hour_of_day.max()),
            )
        )
        if mean.isna().any():
            raise _Unjudged("some hours of the day were never heard; close the gaps")
        if not mean.any():
            raise _Unjudged("nobody asked anything of it in the window")
        return mean.to_numpy(float), most.to_numpy(float)

    def _options(self, name: str, app: App) -> dict[tuple[str, str], float]:
        """USD a month for one replica, at each place and on each GPU that is sold, claimed and priced."""
        now = [(place, _own_gpu(app)) for place in app.locations]
        asked = app.placement.candidates or tuple(
            dict.fromkeys(place for other in self.stack.apps.values() for place in other.locations)
        )
        homes = (p for place in asked for p in (parent_region(place), place))
        places = dict.fromkeys((*app.locations, *filter(self._has_account, homes)))
        found: dict[tuple[str, str], float] = {}
        for place in places:
            for gpu in (_own_gpu(app), *app.placement.rps_per_replica):
                if not _could_run(app, place, gpu):
                    continue
                hourly = self.replica_price(name, place, gpu)
                cluster = 0.0 if gpu == SERVERLESS else self.cluster_price(parent_region(place))
                if hourly is not None and cluster is not None:
                    found[place, gpu] = hourly * HOURS_A_MONTH
                    continue
                what = gpu if hourly is None else "a cluster"
                lack = f"no price for {what} at {place}"
                if (place, gpu) in now:
                    raise _Unjudged(f"{lack}, where it runs; add one with --prices")
                self.unpriced.append(f"{name}: {lack}")
        return found

    def _has_account(self, place: str) -> bool:
        portfolio = self.stack.portfolio
        return (portfolio.aws if place.startswith("aws:") else portfolio.gcp) is not None

    def _may_live(self, app: App, place: str) -> bool:
        allowed = self.stack.portfolio.residency.get(app.data_class)
        return allowed is None or place.startswith(allowed)

    def _clusters(self, locations: Iterable[str]) -> dict[str, float]:
        prices = {region: self.cluster_price(region) for region in map(parent_region, locations)}
        return {region: usd * HOURS_A_MONTH for region, usd in prices.items() if usd is not None}

    def _quotas_left(self, others: Mapping[str, App]) -> dict[tuple[str, str], int]:
        """What the cloud allows, less the ceilings of the apps that are not judged."""
        taken: dict[tuple[str, str], int] = defaultdict(int)
        for name, app in others.items():
            for place, capacity in self.stack.capacity.get(name, {}).items():
                if isinstance(app.serving, GpuServing):
                    taken[place, app.serving.gpu] += capacity.ceiling * app.serving.gpus_per_replica
        return {
            (place, gpu): max(count - taken[place, gpu], 0)
            for place, gpus in self.stack.portfolio.quotas.items()
            for gpu, count in gpus.items()
        }

    def _budget_left(self, others: Mapping[str, App]) -> float:
        """The portfolio's budget, less what the apps that are not judged are expected to cost."""
        left = self.stack.portfolio.budget.monthly_usd
        for name, app in others.items():
            for place, capacity in self.stack.capacity.get(name, {}).items():
                hourly = self.replica_price(name, place, _own_gpu(app))
                if hourly is None:
                    self.unpriced.append(
                        f"{name}: no price at {place}, so the budget left looks larger"
                    )
                else:
                    left -= capacity.expected_replicas * hourly * HOURS_A_MONTH
        return max(left, 0.0)


def _own_gpu(app: App) -> str:
    return app.serving.gpu if isinstance(app.serving, GpuServing) else SERVERLESS


def _shares(app: App) -> bool:
    return isinstance(app.serving, GpuServing) and not app.serving.own_cluster


def _could_run(app: App, place: str, gpu: str) -> bool:
    """A machine with the GPU is sold there; a function stays on its cloud, whose replicas its claim is about."""
    if not isinstance(app.serving, GpuServing):
        cloud = app.regions[0].split(":", maxsplit=1)[0]
        return place.startswith(f"{cloud}:") and not is_local_zone(place)
    try:
        gpu_machine(place, gpu, app.serving.gpus_per_replica)
    except LookupError:
        return False
    return True


def _stays(app: App, at: datetime) -> str:
    if app.placement.moves == "never":
        return "placement.moves is never"
    if app.hold is not None and app.hold.until >= at.date():
        return f"held until {app.hold.until}: {app.hold.reason}"
    return ""


def regions_of(locations: Sequence[str]) -> tuple[str, ...]:
    """The regions whose clusters these places need."""
    return tuple(dict.fromkeys(map(parent_region, locations)))

"""The contract: frozen records of what a stack file and a model version may say.

Everything that reads a stack file reads it through these records; unknown keys are refused.
`fairweather:portfolio`, `fairweather:telemetry`, `fairweather:apps` and `fairweather:events` are
written by people, `fairweather:capacity` by `fairweather plan --write` and nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from stacks.machines import gpu_machine

HOURS_A_WEEK = 168
UNSERVED_SHARE = 0.2
"""What the promised shortfall costs, as a share of capacity, unless an app says otherwise."""
WEEKDAY_SHARE = 5 / 7
ROUNDING = 0.005
"""Shares that people write may miss 1 by as much."""
REGION = r"[a-z]{2,}(-[a-z]+)+-?\d+"

AppName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,29}[a-z0-9]$")]
Region = Annotated[str, StringConstraints(pattern=rf"^(aws|gcp):{REGION}$")]
# "cdn", or an AWS Local Zone such as "aws:us-east-1-bos-1a".
EdgePlace = Annotated[str, StringConstraints(pattern=rf"^(cdn|aws:{REGION}-[a-z]{{3}}-\d[a-z])$")]
Location = Annotated[str, StringConstraints(pattern=rf"^(aws|gcp):{REGION}(-[a-z]{{3}}-\d[a-z])?$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Share = Annotated[float, Field(ge=0, le=1)]
Modality = Literal["image", "audio", "text", "tabular", "multimodal"]
DataClass = Literal["public", "internal", "personal", "sensitive"]
Gpu = Literal["t4", "a10g", "l4", "l40s", "a100", "h100"]
UserArea = Literal[
    "us-east", "us-central", "us-west", "canada", "mexico", "brazil", "south-america",
    "uk", "eu-west", "eu-central", "eu-south", "eu-north", "eu-east",
    "middle-east", "africa-north", "africa-west", "africa-east", "africa-south",
    "india", "southeast-asia", "china", "japan", "korea", "oceania",
]  # fmt: skip
"""Where users are, as coarse as the country report of an app's analytics."""
Money = Annotated[float, Field(gt=0)]


class Misfit(ValueError):
    """What a record finds wrong among its fields: each the key inside it, and the problem."""

    def __init__(self, found: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(problem for _, problem in self.found))


class Record(BaseModel):
    """Closed and frozen: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Budget(Record):
    """What may be spent in a calendar month, and the shares of it at which people are told."""

    monthly_usd: Money
    alert_at: tuple[Share, ...] = (0.5, 0.8, 1.0)
    """Shares of the budget at which people are told."""


class AwsAccount(Record):
    """Where AWS resources go. Credentials never stand here; a role or profile brings them."""

    account_id: Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
    """Twelve digits, in quotes."""
    hosted_zone: str | None = None
    """DNS zone of the apps, such as `apps.example.com`; without it no records are made."""
    certificate_arns: dict[Region, str] = {}
    """ACM certificate by region, for TLS at the load balancer."""


class GcpProject(Record):
    """Where Google Cloud resources go."""

    project: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    billing_account: Annotated[
        str, StringConstraints(pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$")
    ]


class Cluster(Record):
    """Choices for the cluster of one region; the defaults suit a small portfolio."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.\d{2}$")] = "1.34"
    """Kubernetes version, in quotes."""
    cidr: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")] = "10.0.0.0/16"
    """Addresses of the cluster's own network."""
    zones: tuple[str, ...] = ("a", "b")
    """Letters of the availability zones."""
    system_instance: str | None = None
    """Machine of the nodes for the cluster's own services; else m7i.large or e2-standard-4."""
    system_nodes: int = Field(default=2, ge=1)
    """How many of them."""
    api_allowed_cidrs: tuple[str, ...] = ()
    """Who may reach the API server from outside; empty keeps the endpoint private."""


class PlannerLimits(Record):
    """How far one plan may move what stands."""

    max_step: Share = 0.5
    """Largest change of a floor or ceiling in one plan, as a share of what stands."""
    min_history_days: float = Field(default=3, gt=0)
    """With less telemetry the planner keeps what stands."""
    max_changes_a_day: int = Field(default=6, ge=0, le=24)
    """How often the floor may change within a day: each change is a scheduled action."""
    stands_days: int = Field(default=1, ge=1, le=7)
    """How long a plan stands until the next one is deployed; it is replayed standing so long."""
    min_move_share: Share = 0.1
    """An app is moved to another place only if that saves this share of what it costs there."""
    min_move_usd: float = Field(default=100, ge=0)
    """And at least this many USD a month."""


class Portfolio(Record):
    """What all apps share."""

    name: AppName
    environment: Literal["dev", "staging", "prod"]
    owner: str
    """Team that answers for the shared clusters."""
    cost_center: str
    currency: Literal["USD"] = "USD"
    budget: Budget
    """Of the whole portfolio."""
    alert_emails: tuple[str, ...] = ()
    """Who is told when a budget alert fires."""
    tags: dict[str, str] = {}
    """Tags of every resource, beside those that name app, owner, cost center and environment."""
    residency: dict[DataClass, tuple[str, ...]] = {}
    """Where data of a class may live: regions or their beginnings, such as `aws:eu-`."""
    aws: AwsAccount | None = None
    gcp: GcpProject | None = None
    clusters: dict[Region, Cluster] = {}
    """Cluster choices by region; a region without an entry has the defaults."""
    limits: PlannerLimits = PlannerLimits()
    quotas: dict[Location, dict[Gpu, Annotated[int, Field(ge=0)]]] = {}
    """GPUs that the cloud lets the account run at a place; what is absent is not limited."""

    def cluster(self, region: str) -> Cluster:
        return self.clusters.get(region, Cluster())


class Source(Record):
    """Where one kind of telemetry is read: `url` and `query`, or `path`."""

    url: str | None = None
    """Address of a Prometheus server."""
    query: str | None = None
    """PromQL with one series for each `app` and `location` label."""
    path: str | None = None
    """A CSV or Parquet file, also gzipped; relative to the repository."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Source:
        if (self.url is None) == (self.path is None):
            raise ValueError("give either url and query (Prometheus) or path (a file)")
        if self.url is not None and self.query is None:
            raise ValueError("the url needs a query beside it; add one in PromQL")
        if self.path is not None and self.query is not None:
            raise Misfit([(("query",), "belongs to a url, and this source is a path; remove it")])
        return self


class TableSource(Record):
    """Several figures of each service, measured together: `path`, or `url` and `queries`."""

    url: str | None = None
    """Address of a Prometheus server."""
    path: str | None = None
    """A CSV or Parquet file with a column for each figure; relative to the repository."""

    def check(self, needed: tuple[str, ...], queries: Collection[str]) -> None:
        """Refuse a source that cannot deliver what is needed."""
        if (self.url is None) == (self.path is None):
            raise ValueError("give either url and queries (Prometheus) or path (a file)")
        if self.path is not None and queries:
            raise Misfit([(("queries",), "belong to a url, and this source is a path; remove it")])
        missing = ", ".join(name for name in needed if name not in queries)
        if self.url is not None and missing:
            raise Misfit([(("queries",), f"{missing} is missing; add one in PromQL")])


class ServingSource(TableSource):
    """What replicas were asked for and how fast they answered."""

    queries: dict[
        Literal[
            "rps", "replicas", "latency_p95_ms", "utilisation", "tokens_in", "tokens_out",
        ],
        str,
    ] = {}  # fmt: skip
    """PromQL for each figure, with one series for each `app` and `location` label."""

    @model_validator(mode="after")
    def _delivers(self) -> ServingSource:
        self.check(("rps", "replicas", "latency_p95_ms"), self.queries)
        return self


class UsageSource(TableSource):
    """What containers used; rows of one time are replicas, and the busiest counts."""

    queries: dict[Literal["cpu_cores", "memory_gib", "oom_kills"], str] = {}
    """PromQL for each figure, with one series for each `app` and `location` label."""

    @model_validator(mode="after")
    def _delivers(self) -> UsageSource:
        self.check(("cpu_cores", "memory_gib"), self.queries)
        return self


class Telemetry(Record):
    """Where each kind of telemetry is read; what is absent is not monitored."""

    window_days: int = Field(default=28, ge=1, le=400)
    """How much history the planner reads."""
    demand: Source
    latency: Source | None = None
    """p95 latency by service, in the column `latency_p95_ms`, in milliseconds."""
    errors: Source | None = None
    """Share of requests that failed, 0 to 1, by service, in the column `errors`."""
    spend: Source | None = None
    inference_logs: Source | None = None
    serving: ServingSource | None = None
    """Load, replicas and latency, from which `fairweather sizing` learns what a replica serves."""
    usage: UsageSource | None = None
    """CPU and memory of containers, from which their requests and limits are planned."""


class ModelRef(Record):
    """A file of the registry: `models/<name>/<version>.yaml`."""

    name: AppName
    version: Version


class Resources(Record):
    """What one replica asks of its node, beside the GPU."""

    cpu: float = Field(default=2, gt=0)
    memory_gib: float = Field(default=8, gt=0)

    def as_requests(self) -> Requests:
        """The same, as the planner would grant it."""
        memory = self.memory_gib
        return Requests(cpu=self.cpu, memory_gib=memory, memory_limit_gib=memory)


class GpuServing(Record):
    """Replicas on GPU nodes of a Kubernetes cluster."""

    target: Literal["gpu"]
    gpu: Gpu
    gpus_per_replica: int = Field(default=1, ge=1, le=8)
    rps_per_replica: float = Field(gt=0)
    """What one replica serves inside the SLO."""
    cold_start_minutes: float = Field(default=6, ge=0, le=60)
    """From the wish for a replica to its first answer, with a new node."""
    resources: Resources = Resources()
    autoscaler: Literal["keda", "hpa"] = "keda"
    spot_share: Share = 0.5
    """Largest share of burst capacity that may be spot."""
    own_cluster: bool = False
    """Keep the app off the cluster that the portfolio shares."""


class ServerlessServing(Record):
    """Lambda on AWS, Cloud Run on Google Cloud."""

    target: Literal["serverless"]
    rps_per_replica: float = Field(gt=0)
    """What one concurrent execution (Lambda) or instance (Cloud Run) serves inside the SLO."""
    cold_start_minutes: float = Field(default=0.2, ge=0, le=60)
    """From the wish for a replica to its first answer."""
    resources: Resources = Resources(cpu=1, memory_gib=2)
    timeout_seconds: int = Field(default=30, ge=1, le=900)


class Slo(Record):
    """What users are promised."""

    latency_p95_ms: float = Field(gt=0)
    """95 of 100 requests are answered within it."""
    max_shortfall: Share = 0.01
    """Share of demand that may lie above capacity."""
    unserved_cost: float | None = Field(default=None, gt=0)
    """Cost of demand that is not served, as a multiple of the replica-hours that would have
    served it; without it the promised shortfall costs a fifth of the capacity: 20 at 1 %."""
    network_p95_ms: float | None = Field(default=None, gt=0)
    """The part of it that the network may take, there and back; without it no place is judged."""

    @property
    def balance(self) -> float:
        """`unserved_cost`, or what the promise says of it; more than 1000 changes nothing."""
        stated = self.unserved_cost or UNSERVED_SHARE / max(
            self.max_shortfall, UNSERVED_SHARE / 1000
        )
        return float(stated)

    @model_validator(mode="after")
    def _leaves_time_to_answer(self) -> Slo:
        if self.network_p95_ms is not None and self.network_p95_ms >= self.latency_p95_ms:
            problem = f"{self.network_p95_ms:g} leaves nothing of latency_p95_ms; give it less"
            raise Misfit([(("network_p95_ms",), problem)])
        return self


class Placement(Record):
    """Where else an app could run, and on what, for `fairweather place`."""

    candidates: tuple[Location, ...] = ()
    """Regions and Local Zones to consider; without any, the places of all apps."""
    rps_per_replica: dict[Gpu, Annotated[float, Field(gt=0)]] = {}
    """What one replica serves inside the SLO on other GPUs; those without a claim are not considered."""
    min_locations: int = Field(default=1, ge=1)
    """How many places the app needs for the loss of one."""
    moves: Literal["allowed", "never"] = "allowed"


class Hold(Record):
    """A person's lock on the planner for one app."""

    reason: str
    until: date
    """Last day of the hold, as 2026-12-31."""


class App(Record):
    """One mobile app of the portfolio."""

    owner: str
    """Team that answers for the app."""
    cost_center: str
    data_class: DataClass
    """Drives residency and privacy rules."""
    model: ModelRef
    serving: Annotated[GpuServing | ServerlessServing, Field(discriminator="target")]
    regions: Annotated[tuple[Region, ...], Field(min_length=1)]
    """Where the app has replicas."""
    edge: tuple[EdgePlace, ...] = ()
    """`cdn`, and AWS Local Zones with replicas of their own."""
    slo: Slo
    budget: Budget
    """Of this app, everywhere together."""
    tags: dict[str, str] = {}
    """Tags of the app's resources, beside those of the portfolio."""
    hold: Hold | None = None
    users: dict[UserArea, Share] = {}
    """Share of the requests that comes from each area; without it no place is judged."""
    placement: Placement = Placement()

    @property
    def locations(self) -> tuple[str, ...]:
        """Places with capacity of their own: the regions, then the Local Zones."""
        return self.regions + tuple(place for place in self.edge if place != "cdn")

    @field_validator("regions", "edge")
    @classmethod
    def _no_repeats(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        twice = [(i, place) for i, place in enumerate(places) if place in places[:i]]
        if twice:
            raise Misfit(((i,), f"{place} stands there already; remove one") for i, place in twice)
        return places

    @field_validator("users")
    @classmethod
    def _users_are_all(cls, users: dict[UserArea, Share]) -> dict[UserArea, Share]:
        total = sum(users.values())
        if users and abs(total - 1) > ROUNDING:
            raise ValueError(f"the shares add up to {total:g}; make them 1")
        return users

    @model_validator(mode="after")
    def _machines_are_sold(self) -> App:
        if isinstance(self.serving, GpuServing):
            for place in self.locations:
                try:
                    gpu_machine(place, self.serving.gpu, self.serving.gpus_per_replica)
                except LookupError as error:
                    raise Misfit([(("serving", "gpu"), f"{place} has {error}")]) from None
        return self

    @model_validator(mode="after")
    def _claims_are_of_other_gpus(self) -> App:
        own = self.serving.gpu if isinstance(self.serving, GpuServing) else None
        at = ("placement", "rps_per_replica")
        if own is None and self.placement.rps_per_replica:
            raise Misfit([(at, "is for GPU apps, and this one is serverless; remove it")])
        if own in self.placement.rps_per_replica:
            problem = "is the GPU that the app has; its claim stands under serving, so remove this"
            raise Misfit([((*at, own), problem)])
        return self

    @model_validator(mode="after")
    def _edge_has_a_home(self) -> App:
        misfits = []
        for i, zone in enumerate(self.edge):
            if zone == "cdn":
                continue
            if parent_region(zone) not in self.regions:
                region = parent_region(zone)
                problem = f"{zone} needs its region; add {region} under regions"
                misfits.append((("edge", i), problem))
            if self.serving.target != "gpu":
                misfits.append((("edge", i), f"{zone} takes GPU apps only; use cdn instead"))
        if misfits:
            raise Misfit(misfits)
        return self


Hours = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=24, max_length=24)]


class Floor(Record):
    """Replicas that are always there, by hour of the day in UTC."""

    weekday: Hours
    weekend: Hours

    @property
    def mean(self) -> float:
        """Mean replicas over a week."""
        return WEEKDAY_SHARE * sum(self.weekday) / 24 + (1 - WEEKDAY_SHARE) * sum(self.weekend) / 24

    @property
    def peak(self) -> int:
        return max(*self.weekday, *self.weekend)

    @property
    def least(self) -> int:
        return min(*self.weekday, *self.weekend)


class Requests(Record):
    """What one replica asks of its node, as measured; instead of `serving.resources`."""

    cpu: float = Field(gt=0)
    """Cores; a replica may use more where the node has them."""
    memory_gib: float = Field(gt=0)
    memory_limit_gib: float = Field(gt=0)
    """Above it the replica is killed."""
    last_oom: AwareDatetime | None = None
    """The last kill for lack of memory that this answers."""

    @model_validator(mode="after")
    def _in_order(self) -> Requests:
        if self.memory_gib > self.memory_limit_gib:
            problem = f"{self.memory_limit_gib:g} is below memory_gib {self.memory_gib:g}"
            raise Misfit([(("memory_limit_gib",), f"{problem}; run `fairweather plan --write`")])
        return self


class Capacity(Record):
    """What the planner granted one app at one location. Edited by `fairweather plan --write`."""

    floor: Floor
    ceiling: int = Field(ge=1)
    """Replicas that are never exceeded."""
    target_utilisation: float = Field(gt=0, le=1)
    """Load of a replica that the autoscaler aims at, as a share of rps_per_replica."""
    expected_replicas: float = Field(ge=0)
    """Mean replicas over a week that the autoscaler is expected to run."""
    reason: str
    """Why these numbers, in one line."""
    requests: Requests | None = None
    """CPU and memory of one replica; without it `serving.resources` hold."""

    def asked(self, serving: GpuServing | ServerlessServing) -> Requests:
        """What one replica asks for: as measured, else as people wrote."""
        return self.requests or serving.resources.as_requests()

    @model_validator(mode="after")
    def _in_order(self) -> Capacity:
        misfits = []
        if self.floor.peak > self.ceiling:
            problem = f"{self.ceiling} is below the floor, which reaches {self.floor.peak}"
            misfits.append((("ceiling",), f"{problem}; run `fairweather plan --write`"))
        if self.expected_replicas > self.ceiling:
            problem = f"{self.expected_replicas:g} lies above the ceiling {self.ceiling}"
            misfits.append((("expected_replicas",), f"{problem}; run `fairweather plan --write`"))
        if misfits:
            raise Misfit(misfits)
        return self


class Event(Record):
    """A known time in which demand is, or was, unlike its usual course."""

    name: str
    """Events of one name teach each other, such as `black friday` of last year and this one."""
    start: AwareDatetime
    """With its zone, as 2026-11-27T06:00:00Z."""
    end: AwareDatetime
    """Exclusive."""
    kind: Literal["launch", "campaign", "holiday", "maintenance"]
    apps: tuple[AppName, ...] = ()
    """Whose demand it moves; without any, that of all apps."""
    expected_multiplier: float | None = Field(default=None, gt=0, le=100)
    """Of usual demand; without it, only past events say how much."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Event:
        if self.end <= self.start:
            raise Misfit([(("end",), "is not after start; give the first moment after the event")])
        return self


class Stack(Record):
    """One stack file."""

    portfolio: Portfolio
    """What all apps share."""
    telemetry: Telemetry
    """Where demand, latency, spend and inference logs are read."""
    apps: dict[AppName, App]
    """The apps by name."""
    events: tuple[Event, ...] = ()
    """Launches, campaigns, holidays and maintenance, past and to come."""
    capacity: dict[AppName, dict[Location, Capacity]] = {}
    """By app and location. Edited by `fairweather plan --write` and nobody else."""

    def regions(self) -> tuple[str, ...]:
        """Regions in use, in order of appearance."""
        return tuple(dict.fromkeys(region for app in self.apps.values() for region in app.regions))

    def services(self) -> tuple[tuple[str, str], ...]:
        """(app, location) of everything with capacity of its own."""
        return tuple((name, place) for name, app in self.apps.items() for place in app.locations)

    @model_validator(mode="after")
    def _references_hold(self) -> Stack:
        misfits: list[tuple[tuple[str, ...], str]] = []
        for cloud, account in (("aws", self.portfolio.aws), ("gcp", self.portfolio.gcp)):
            if account is None and any(region.startswith(f"{cloud}:") for region in self.regions()):
                problem = f"is missing, and apps have regions on {cloud}; add it"
                misfits.append((("portfolio", cloud), problem))
        for name, places in self.capacity.items():
            if name not in self.apps:
                problem = "belongs to no app; `fairweather plan --write` removes it"
                misfits.append((("capacity", name), problem))
                continue
            for place in places:
                if place not in self.apps[name].locations:
                    problem = "the app is not there; `fairweather plan --write` removes it"
                    misfits.append((("capacity", name, place), problem))
        if misfits:
            raise Misfit(misfits)
        return self

    @model_validator(mode="after")
    def _events_name_apps(self) -> Stack:
        misfits = [
            (
                ("events", i, "apps", j),
                f"{name} is not an app; known apps are {', '.join(self.apps)}",
            )
            for i, event in enumerate(self.events)
            for j, name in enumerate(event.apps)
            if name not in self.apps
        ]
        if misfits:
            raise Misfit(misfits)
        return self


class Dataset(Record):
    """Data that a model was trained on."""

    name: str
    licence: str
    personal_data: bool


class Evidence(Record):
    """A measured file beside the version, and the digest of its bytes."""

    kind: Literal["fairness", "explanation", "privacy"]
    path: str
    """Relative to the folder of the model."""
    sha256: Digest


class ModelVersion(Record):
    """`models/<name>/<version>.yaml`: one version of one model."""

    name: AppName
    version: Version
    modality: Modality
    image: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.\-/_:]+@sha256:[0-9a-f]{64}$")]
    """The serving container, by digest."""
    artifact: str
    """URI of the weights."""
    digest: Digest
    """Digest of the weights; evidence is bound to it."""
    intended_use: str
    sensitive_domain: bool = False
    licence: str
    training_pipeline: str
    inference_pipeline: str | None = None
    """What turns a request into an answer, where that is more than the image."""
    datasets: tuple[Dataset, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    rollback_to: Version | None = None


def parent_region(location: str) -> str:
    """`aws:us-east-1-bos-1a` -> `aws:us-east-1`; a region is its own parent."""
    cloud, place = location.split(":")
    parts = place.split("-")
    return f"{cloud}:{'-'.join(parts[:3])}" if cloud == "aws" else location


def is_local_zone(location: str) -> bool:
    return parent_region(location) != location

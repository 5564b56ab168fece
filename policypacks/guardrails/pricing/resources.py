"""What the engine's resources cost a month, whoever declared them: low, expected and high.

Low is what stands at the least floor, expected follows schedules and expected burst, high is every
ceiling reached all month. Prices are list prices. A resource is `priced`; `free`; `usage`, where
only use is billed; `inside`, where it runs on machines priced elsewhere; or `unpriced`, which is
listed by type and never counts as zero.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from .book import PriceBook
from .capacity import Fleet, fleets
from .declared import Declared, Resource
from .kinds import KINDS
from .labels import SHARED, UNALLOCATED, app_of
from .services import PRICERS, Asked, Priced
from .week import NOTHING, Range

HOURS_A_MONTH = 730
State = Literal["priced", "free", "usage", "inside", "unpriced"]


@dataclass(frozen=True)
class Line:
    """One resource's cost, or one part of it."""

    urn: str
    type: str
    name: str
    app: str
    location: str | None
    state: State
    usd: Range | None
    """USD a month; None unless priced."""
    why: str


@dataclass(frozen=True)
class Estimate:
    """What a whole stack costs a month."""

    lines: tuple[Line, ...]
    edition: str
    """Of the price book."""
    fleets: tuple[Fleet, ...] = ()

    def total(self, app: str | None = None) -> Range:
        """Of one app, or of everything priced."""
        return sum_of(line for line in self.lines if app is None or line.app == app)

    def by_app(self) -> dict[str, Range]:
        """Of each app in alphabetical order, then of what is shared and of what is nobody's."""
        found = {line.app for line in self.lines if line.state in {"priced", "unpriced"}}
        last = [name for name in (SHARED, UNALLOCATED) if name in found]
        return {app: self.total(app) for app in [*sorted(found - set(last)), *last]}

    def of_state(self, state: State) -> list[Line]:
        return [line for line in self.lines if line.state == state]

    def unpriced(self) -> dict[str, int]:
        """Resources without a price, by type."""
        counted = Counter(line.type for line in self.of_state("unpriced"))
        return dict(sorted(counted.items()))

    def unpriced_machines(self) -> tuple[float, float]:
        """Machines expected without a price, and all that are expected; an unbounded fleet counts as one."""
        without = {line.urn for line in self.of_state("unpriced")}
        sizes = [(f.resource.urn, 1.0 if f.count is None else f.count.high) for f in self.fleets]
        return sum(size for urn, size in sizes if urn in without), sum(size for _, size in sizes)


def price(declared: Declared, book: PriceBook) -> Estimate:
    """Price every resource of a stack."""
    found = fleets(declared)
    by_urn: dict[str, list[Fleet]] = defaultdict(list)
    for fleet in found:
        by_urn[fleet.resource.urn].append(fleet)
    lines: list[Line] = []
    for resource in declared:
        if resource.cloud in {"pulumi", "fairweather"}:
            continue
        for fleet in by_urn.get(resource.urn, ()):
            lines += fleet_lines(fleet, book)
        if resource.urn not in by_urn or resource.type in PRICERS:
            lines.append(line_of(resource, declared, book))
    return Estimate(tuple(lines), book.edition, tuple(found))


def line_of(resource: Resource, declared: Declared, book: PriceBook) -> Line:
    """The cost of what is not machines."""
    location, app = declared.location(resource), app_of(resource, declared)

    def line(state: State, usd: Range | None, why: str) -> Line:
        return Line(resource.urn, resource.type, resource.name, app, location, state, usd, why)

    pricer = PRICERS.get(resource.type)
    if pricer is not None:
        found = pricer(Asked(resource, declared, location or f"{resource.cloud}:*", book))
        if isinstance(found, Priced) and not found.usd_hour.is_sound:
            return line("unpriced", None, f"its size is no size: {found.why}")
        if isinstance(found, Priced):
            return line("priced", found.usd_hour.times(HOURS_A_MONTH), found.why)
        return line(found.state, None, found.why)
    kind = KINDS.get(resource.type)
    if kind is not None and kind.billed in {"free", "usage", "inside"}:
        return line(kind.billed, None, kind.by or "not billed by itself")
    if kind is None and resource.cloud == "kubernetes":
        return line("inside", None, "runs on the cluster's machines")
    return line("unpriced", None, "the price book does not know this type")


def fleet_lines(fleet: Fleet, book: PriceBook) -> list[Line]:
    """Machines, and their disks, of one fleet."""
    resource = fleet.resource

    def line(usd: Range | None, why: str) -> Line:
        state: State = "unpriced" if usd is None else "priced"
        return Line(
            resource.urn, resource.type, resource.name, fleet.app, fleet.location, state, usd, why
        )

    if fleet.count is None:
        return [line(None, f"{fleet.why}, so nothing bounds what it may cost")]
    if not fleet.machines or fleet.location is None:
        return [
            line(
                None,
                f"its {'location' if fleet.machines else 'machine type'} is not known before deployment",
            )
        ]
    machine = fleet.machines[0]
    on_demand = [
        book.hourly(kind, fleet.location, fleet.accelerator, fleet.attached)
        for kind in fleet.machines
    ]
    known = [usd for usd in on_demand if usd is not None]
    if on_demand[0] is None or len(known) < len(on_demand):
        missing = ", ".join(
            kind for kind, usd in zip(fleet.machines, on_demand, strict=True) if usd is None
        )
        return [line(None, f"no price for {missing} at {fleet.location}")]
    spot = book.hourly(machine, fleet.location, fleet.accelerator, fleet.attached, spot=True)
    share = 0.0 if spot is None else fleet.spot_share
    expected_hour = on_demand[0] * (1 - share) + (spot or 0.0) * share
    low_hour = min(known) if share == 0 else min(*known, expected_hour)
    usd = Range.ordered(
        fleet.count.low * low_hour * HOURS_A_MONTH,
        fleet.count.expected * expected_hour * HOURS_A_MONTH,
        fleet.count.high * max(known) * HOURS_A_MONTH,
    )
    bought = f", {share:.0%} spot at ${spot:.4g}/h" if share and spot is not None else ""
    if fleet.spot_share and spot is None:
        bought = ", no spot price, so on demand"
    kind = f"{fleet.attached} x {fleet.accelerator} on {machine}" if fleet.attached else machine
    lines = [
        line(
            usd,
            f"{fleet.count.expected:.2f} x {kind} at ${on_demand[0]:.4g}/h{bought}; {fleet.why}",
        )
    ]
    return lines + ([] if fleet.disk is None else [disk_line(fleet, book, line)])


def disk_line(fleet: Fleet, book: PriceBook, line: Callable[[Range | None, str], Line]) -> Line:
    """The boot disks of a fleet."""
    assert fleet.disk is not None
    assert fleet.count is not None
    each = book.price("disk", fleet.disk.kind, fleet.location or "")
    what = f"{fleet.disk.gib:g} GiB {fleet.disk.kind}"
    if each is None:
        return line(None, f"no price for its disks, {what} at {fleet.location}")
    return line(
        fleet.count.times(fleet.disk.gib * each),
        f"{fleet.count.expected:.2f} x {what} at ${each:g} a GiB and month",
    )


def sum_of(lines: Iterable[Line]) -> Range:
    total = NOTHING
    for line in lines:
        if line.usd is not None:
            total += line.usd
    return total


def reasons(lines: Iterable[Line]) -> Mapping[str, list[Line]]:
    """Lines by type, for lists of what has no price."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        found[line.type].append(line)
    return dict(sorted(found.items()))

"""Who won the replay: this plan beside what stands, for one service and for all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forecasting.capacity.replay import Replayed
from forecasting.capacity.shards import Service

WORTH_A_CHANGE = 0.03
"""Share of the cost that a plan must save (or of the shortfall, where too much is dropped)."""


@dataclass(frozen=True)
class Verdict:
    """Whether this plan would have been better than what stands, on the recorded past."""

    won: bool
    reason: str
    """One line with the figures."""


def judge(rows: Sequence[Replayed], promise: float) -> Verdict | None:
    """A plan wins if it is cheaper and drops no more than is promised.

    Where what stands drops more than that, it wins by dropping less, at any cost. None without a
    capacity that stands.

    Args:
        rows: one service's (or the portfolio's) replay.
        promise: the share of demand that may be dropped.
    """
    by_name = {row.name: row for row in rows}
    ours, stood = by_name.get("this plan"), by_name.get("what stands")
    if ours is None or stood is None:
        return None
    cost = ours.replica_hours / stood.replica_hours - 1 if stood.replica_hours else 0.0
    figures = f"{cost:+.0%} cost at {ours.shortfall:.1%} shortfall"
    if f"{stood.shortfall:.1%}" != "0.0%":
        figures += f", {stood.shortfall:.1%} before"
    if stood.shortfall > promise:
        better = ours.shortfall < (1 - WORTH_A_CHANGE) * stood.shortfall
        return Verdict(better, figures if better else f"{figures}; it would drop no less")
    if ours.shortfall > promise:
        return Verdict(False, f"{figures}; more than the promised {promise:.1%}")
    if ours.replica_hours > (1 - WORTH_A_CHANGE) * stood.replica_hours:
        return Verdict(False, f"{figures}; a change is worth {WORTH_A_CHANGE:.0%}")
    return Verdict(True, figures)


@dataclass(frozen=True)
class Contest:
    """A portfolio's replay: what all services together would have cost and dropped."""

    total: tuple[Replayed, ...]
    """A row a policy, over the services that all policies were replayed for."""
    verdict: Verdict | None
    verdicts: Mapping[Service, Verdict | None]
    left_out: tuple[Service, ...]
    """Services without a replay, or without a capacity that stands."""
    unpriced: tuple[Service, ...]
    """Services that count in replicas, but not in USD."""

    @property
    def won(self) -> int:
        return sum(verdict is not None and verdict.won for verdict in self.verdicts.values())


def contest(
    services: Mapping[Service, Sequence[Replayed]], promises: Mapping[Service, float]
) -> Contest:
    """The sum over services; shortfalls are weighed by the replicas that demand needs.

    Args:
        services: the rows of each service, as `replay` gives them.
        promises: the share of demand that each may drop.
    """
    verdicts = {service: judge(rows, promises[service]) for service, rows in services.items()}
    counted = {service: services[service] for service, one in verdicts.items() if one is not None}
    needed = {service: rows[-1].replica_hours for service, rows in counted.items()}
    weight = sum(needed.values()) or 1.0
    promise = sum(needed[service] * promises[service] for service in counted) / weight
    total = tuple(
        Replayed(
            name=column[0].name,
            ours=column[0].ours,
            replica_hours=sum(row.replica_hours for row in column),
            usd=_sum([row.usd for row in column]),
            shortfall=sum(
                row.shortfall * hours for row, hours in zip(column, needed.values(), strict=True)
            )
            / weight,
            peak=sum(row.peak for row in column),
        )
        for column in zip(*counted.values(), strict=True)
    )
    return Contest(
        total,
        judge(total, promise),
        verdicts,
        left_out=tuple(service for service in services if service not in counted),
        unpriced=tuple(service for service, rows in counted.items() if rows[0].usd is None),
    )


def _sum(amounts: Sequence[float | None]) -> float | None:
    """Over those that have a price; None where none has."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None

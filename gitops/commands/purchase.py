"""`fairweather commitments`: the purchase mix of a stack's pools, as people and machines read it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

import stacks
from gitops import planning, show
from gitops.checkout import stack_file
from gitops.errors import Refusal

if TYPE_CHECKING:
    from finops.purchase_plan import PoolPlan

HISTORY_DAYS = 400
"""As far back as there is telemetry, up to this: decline is told by months."""


def commitments(options: Namespace) -> int:
    """Advise a commitment for each pool; nothing is bought."""
    from finops import purchase, purchase_files, purchase_plan
    from policypacks.guardrails.pricing.book import PriceBook

    _check(options)
    stack = stacks.load(stack_file(options.root, options.stack))
    active = purchase_files.running(options.active) if options.active else {}
    recorded = purchase_files.availability(options.availability) if options.availability else {}
    with show.working(f"looking a year ahead for {options.stack}"):
        at = planning.moment(options.at)
        demand = planning.read_demand(options.root, stack, options.demand, at, HISTORY_DAYS)
        found = purchase.pools(
            stack,
            demand,
            PriceBook.load(options.prices),
            purchase.commitment_prices(options.prices),
            discount=options.discount,
            compute_discount=options.compute_discount,
        )
        _known(options.active, active, found)
        _known(options.availability, recorded, found)
        plans = [
            purchase_plan.pool_plan(pool, active.get(pool.name, ()), recorded.get(pool.name))
            for pool in found
        ]
        dollar_saves = None
        if options.budget is not None:
            capped = purchase_plan.within_budget(plans, options.budget)
            plans, dollar_saves = capped.plans, capped.dollar_saves_usd
    if options.json:
        print(json.dumps(to_dict(plans, dollar_saves), indent=1))
        return 0
    show.telemetry(demand, stack)
    tell(plans)
    if dollar_saves is not None:
        show.console.print(budget_line(options.budget, dollar_saves))
    return 0


def _check(options: Namespace) -> None:
    for name in ("discount", "compute_discount"):
        share = getattr(options, name)
        if share is not None and not 0 < share < 1:
            option = f"--{name.replace('_', '-')}"
            raise Refusal(f"{option} {share:g}: give a share between 0 and 1, such as 0.3")
    if options.budget is not None and options.budget <= 0:
        raise Refusal(f"--budget {options.budget:g}: give USD a month above zero")


def _known(file: Any, given: dict[str, Any], found: Sequence[Any]) -> None:
    """Refuse a pool that the stack does not have: a slip of the pen must not hide a commitment."""
    names = [pool.name for pool in found]
    strange = [name for name in given if name not in names]
    if strange:
        raise Refusal(f"{file}: no pool {strange[0]!r} in this stack; pools: {', '.join(names)}")


def tell(plans: Sequence[PoolPlan]) -> None:
    """A table of what to buy, one of what it does, and the reasons below."""
    numbers = ("demand", "committed", "commit now", "on demand", "USD a month")
    rows = [mix_row(plan) for plan in plans]
    show.console.print("\n[bold]USD an hour[/bold]; demand and on demand at on-demand prices")
    show.console.print(show.table(("pool", *numbers, "spot, of the rest"), rows, right=numbers))
    advised = [plan for plan in plans if plan.saving is not None]
    if advised:
        usd = ("expected", "90 % range", "demand −30 %", "retired")
        show.console.print(
            "\n[bold]saving in a year against on demand, USD[/bold]; negative is a loss"
        )
        savings = [saving_row(plan) for plan in advised]
        show.console.print(show.table(("pool", *usd, "to buy"), savings, right=usd))
    concerned: dict[str, list[str]] = {}
    for plan in plans:
        for note in plan.notes:
            concerned.setdefault(note, []).append(plan.pool.name)
    for note, pools in concerned.items():
        told = f"{', '.join(pools)}: {note}"
        show.console.print(f"[yellow]{escape(told)}[/yellow]", soft_wrap=True)
    dates = sorted({plan.pool.as_of for plan in advised})
    dated = f"commitment prices: {', '.join(dates)}; " if dates else ""
    show.console.print(
        f"[dim]{dated}advice only: nothing is bought; buy in the cloud's own console and list it "
        "with --active next time[/dim]",
        soft_wrap=True,
    )


def mix_row(plan: PoolPlan) -> tuple[str, ...]:
    demand = "?" if plan.demand_usd_hour is None else f"{plan.demand_usd_hour:.2f}"
    if plan.advice is None:
        spread = (demand, "?", "?", "?", "?")
    else:
        spread = (
            demand,
            f"{plan.running_usd_hour:.2f}",
            f"[bold]{plan.commit_usd_hour:.2f}[/bold]",
            f"{plan.on_demand_usd_hour:.2f}",
            f"{plan.commit_usd_month:,.0f}",
        )
    return (escape(plan.pool.name), *spread, spot_text(plan))


def spot_text(plan: PoolPlan) -> str:
    if plan.spot is not None:
        return escape(plan.spot.reason)
    if plan.pool.spot_share is None:
        return "told by family, without --compute-discount"
    return "none: its apps allow no spot" if plan.pool.spot_share == 0 else "not advised, see below"


def saving_row(plan: PoolPlan) -> tuple[str, ...]:
    saving = plan.saving
    assert saving is not None
    return (
        escape(plan.pool.name),
        f"{saving.usd:,.0f}",
        f"{saving.low_usd:,.0f} to {saving.high_usd:,.0f}",
        signed(saving.if_falls_usd),
        signed(saving.if_retired_usd),
        escape(f"{plan.pool.product}{machines(plan)}"),
    )


def machines(plan: PoolPlan) -> str:
    """`, about 6.0 x g6.xlarge`."""
    if not plan.pool.machine_usd or not plan.pool.ratio:
        return ""
    count = plan.commit_usd_hour / plan.pool.ratio / plan.pool.machine_usd
    return f", about {count:.1f} x {plan.pool.machine}"


def signed(usd: float) -> str:
    return f"[red]{usd:,.0f}[/red]" if usd < 0 else f"{usd:,.0f}"


def budget_line(budget_usd: float, dollar_saves_usd: float) -> str:
    if dollar_saves_usd <= 0:
        return f"the budget of {show.dollars(budget_usd)} a month does not bind"
    return (
        f"the budget of {show.dollars(budget_usd)} a month binds: one more dollar a month would "
        f"save {show.dollars(dollar_saves_usd)} in the year"
    )


def to_dict(plans: Sequence[PoolPlan], dollar_saves_usd: float | None) -> dict[str, Any]:
    return {
        "currency": "USD",
        "term_hours": 8760,
        "pools": [pool_dict(plan) for plan in plans],
        "budget_dollar_saves_usd": dollar_saves_usd,
    }


def pool_dict(plan: PoolPlan) -> dict[str, Any]:
    """For machines; null is "not known", never zero."""
    advised = plan.advice is not None
    saving, spot = plan.saving, plan.spot
    return {
        "pool": plan.pool.name,
        "apps": list(plan.pool.apps),
        "product": plan.pool.product,
        "price_ratio": plan.pool.ratio,
        "prices_as_of": plan.pool.as_of or None,
        "history_days": round(plan.advice.days, 1) if plan.advice else None,
        "demand_usd_hour": None if plan.demand_usd_hour is None else round(plan.demand_usd_hour, 4),
        "committed_usd_hour": round(plan.running_usd_hour, 4) if advised else None,
        "commit_now_usd_hour": round(plan.commit_usd_hour, 4) if advised else None,
        "commit_now_usd_month": round(plan.commit_usd_month, 2) if advised else None,
        "on_demand_usd_hour": round(plan.on_demand_usd_hour, 4) if advised else None,
        "saving_a_year_usd": None
        if saving is None
        else {
            "expected": round(saving.usd, 2),
            "low": round(saving.low_usd, 2),
            "high": round(saving.high_usd, 2),
            "if_demand_falls_30_percent": round(saving.if_falls_usd, 2),
            "if_retired": round(saving.if_retired_usd, 2),
        },
        "spot": None
        if spot is None
        else {
            "share": round(spot.share, 4),
            "zones": list(spot.zones),
            "over_provision": spot.over_provision,
            "expected_saving": round(spot.expected_saving, 4),
            "reason": spot.reason,
        },
        "notes": list(plan.notes),
    }

"""`fairweather plan | replay | telemetry`: a plan as people and machines read it."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import stacks
from gitops import evidence, planning, show
from gitops.checkout import stack_file
from gitops.crew import crew
from gitops.errors import Refusal
from gitops.pages import plan as report
from stacks.errors import shown

if TYPE_CHECKING:
    import pandas as pd


def plan(options: Namespace) -> int:
    """Show the plan and, if asked, write it; `--check` exits 1 when the file is stale."""
    with crew(options.workers) as workers:
        planned = planning.make(
            options.root,
            options.stack,
            demand=options.demand,
            at=planning.moment(options.at),
            prices=options.prices,
            workers=workers,
        )
    if options.report:
        options.report.write_text(report.page(planned), encoding="utf-8")
    if options.json:
        print(json.dumps(evidence.to_dict(planned), indent=1))
    else:
        show.telemetry(planned.demand, planned.stack)
        show.plan(planned)
        show.diff(planned.diff)
    if options.write:
        planned.write()
    if not options.json:
        print(verdict(planned, options))
    return 1 if options.check and planned.diff else 0


def verdict(planned: planning.Planned, options: Namespace) -> str:
    """What was done, or what to do next."""
    where = shown(planned.file)
    if not planned.diff:
        return f"{where} is what would be planned; nothing to write"
    if options.write:
        return f"{where} written"
    if options.check:
        return f"{where} is stale; run `fairweather plan {planned.name} --write`"
    return f"nothing written; `fairweather plan {planned.name} --write` rewrites {where}"


def replay(options: Namespace) -> int:
    """What the plan, the standing capacity and the rules in use would have cost and dropped."""
    from finops.unit_price import unit_prices
    from forecasting.capacity.contest import contest
    from forecasting.capacity.replay import replay as run
    from policypacks.guardrails.pricing.book import PriceBook

    stack = stacks.load(stack_file(options.root, options.stack))
    at = planning.moment(options.at)
    days = max(stack.telemetry.window_days, options.days)
    demand = planning.read_demand(options.root, stack, options.demand, at, days)
    prices = unit_prices(stack, PriceBook.load(options.prices))
    with crew(options.workers) as workers:
        services = run(stack, demand, prices, days=options.days, workers=workers)
    held = contest(services, evidence.promises(stack))
    if options.json:
        told = {
            f"{app} {place}": evidence.replayed(rows) for (app, place), rows in services.items()
        }
        print(json.dumps({**evidence.of_contest(held), "services": told}, indent=1))
    else:
        show.contest(held, options.days)
        show.replays(services, held, options.days)
    return 0


def telemetry(options: Namespace) -> int:
    """Say what is wrong with a stack's telemetry, or write synthetic demand to try things with."""
    from forecasting.telemetry import synthetic
    from forecasting.telemetry.synthetic_serving import serving_of
    from forecasting.telemetry.synthetic_usage import usage_of_stack

    stack = stacks.load(stack_file(options.root, options.stack))
    at = planning.moment(options.at)
    if options.incident and not options.synthesize:
        raise Refusal("--incident plants one in synthetic demand; add --synthesize FILE")
    if options.synthesize:
        end = at or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        frame = synthetic.generate(
            stack, days=stack.telemetry.window_days, end=end, seed=options.seed
        )
        if options.incident:
            frame = plant_incident(stack, frame, options.synthesize)
        options.synthesize.parent.mkdir(parents=True, exist_ok=True)
        synthetic.write(frame, options.synthesize)
        print(f"{options.synthesize}: {len(frame):,} rows of synthetic demand, seed {options.seed}")
        name = options.synthesize.name.removeprefix("demand-")
        serving = options.synthesize.with_name(f"serving-{name}")
        synthetic.write(serving_of(stack, frame), serving, "serving telemetry")
        print(f"{serving}: load, replicas and latency under it, also synthetic")
        usage = options.synthesize.with_name(f"usage-{name}")
        synthetic.write(usage_of_stack(stack, frame), usage, "container usage")
        print(f"{usage}: CPU and memory of containers, also synthetic")
        return 0
    demand = planning.read_demand(options.root, stack, options.demand, at)
    show.telemetry(demand, stack, every=True)
    return 0


def plant_incident(stack: stacks.Stack, demand: pd.DataFrame, file: Path) -> pd.DataFrame:
    """The demand with one service failing at its end; what fails everywhere goes beside the file."""
    from forecasting.telemetry import synthetic
    from forecasting.telemetry.synthetic_incident import with_incident

    changed, errors = with_incident(stack, demand)
    beside = file.with_name(f"errors-{file.name.removeprefix('demand-')}")
    synthetic.write(errors, beside, "errors")
    print(f"{beside}: the share of requests that fail, also synthetic")
    app, location = changed.attrs["incident"]
    print(f"planted: {app} at {location} fails in its last three hours")
    return changed

"""`fairweather place`: where apps should run, as people and machines read it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

import stacks
from gitops import planning, show
from gitops.checkout import stack_file
from stacks.errors import shown

if TYPE_CHECKING:
    from forecasting.placement import Placed, Placement, Price
    from stacks import Stack

NOT_MODELLED = "list prices of replicas and clusters; no disks, traffic, spot, commitments or CDN"


def place(options: Namespace) -> int:
    """Show a placement, what the promises cost and the lines to change; 1 where promises clash."""
    from finops.unit_price import cluster_prices, gpu_prices
    from forecasting import placement
    from forecasting.placement.proposal import edits, proposed
    from policypacks.guardrails.pricing.book import PriceBook

    file = stack_file(options.root, options.stack)
    stack = stacks.load(file)
    demand = planning.read_demand(options.root, stack, options.demand, planning.moment(options.at))
    book = PriceBook.load(options.prices)
    with show.working(f"placing {options.stack}"):
        problem = placement.problem(
            stack,
            demand,
            gpu_prices(stack, book),
            cluster_prices(stack, book),
            users=options.users and placement.read_users(options.users, list(stack.apps)),
            measured_ms=options.network and placement.read_network(options.network),
        )
        found = placement.place(problem)
        prices = placement.prices(found.program)
    changes = edits(stack, proposed(stack, found))
    diff = stacks.write_keys(file, changes, dry_run=not options.write)
    if options.report:
        from gitops.pages import placement as placement_report

        text = placement_report.page(options.stack, found, prices, diff)
        options.report.write_text(text, encoding="utf-8")
    if options.json:
        print(json.dumps(to_dict(found, prices, diff, book.edition), indent=1))
    else:
        show.telemetry(demand, stack)
        tell(found, prices, measured=bool(options.network), edition=book.edition)
        show.diff(diff)
        for note in to_do(stack, found):
            show.console.print(f"[yellow]{escape(note)}[/yellow]")
        print(verdict(options, shown(file), found, diff))
    return 1 if found.clashes else 0


def tell(found: Placement, prices: Sequence[Price], *, measured: bool, edition: str) -> None:
    """Tables: a row for each app, and one for what each promise costs."""
    numbers = ("users within", "USD a month")
    rows = [row(placed) for placed in found.apps]
    show.console.print(show.table(("app", "now", "proposed", *numbers, "why"), rows, right=numbers))
    if found.apps:
        saved = found.usd_now - found.usd_then
        less = f"{show.dollars(abs(saved))} {'less' if saved >= 0 else 'more'}"
        show.console.print(
            f"together, with clusters: {show.dollars(found.usd_now)} → "
            f"[bold]{show.dollars(found.usd_then)}[/bold] a month, {less}  "
            f"[dim]price book {edition}; {NOT_MODELLED}[/dim]"
        )
    source = "measured where --network has it, else estimated" if measured else "estimated"
    ways = f"network times are {source} from distance and a mobile last mile; measure them and pass --network"
    show.console.print(f"[dim]{ways}[/dim]")
    for name, reason in found.problem.unjudged.items():
        show.console.print(f"[yellow]not judged:[/yellow] {name}: {escape(reason)}")
    for lack in found.problem.unpriced:
        show.console.print(f"[yellow]left out:[/yellow] {escape(lack)}")
    for clash in found.clashes:
        show.console.print(f"[bold red]clash[/bold red] {escape(str(clash))}", soft_wrap=True)
    if prices:
        tell_prices(prices)


def tell_prices(prices: Sequence[Price]) -> None:
    """The promises that cost something, and how many do not."""
    numbers = ("USD a month", "dual")
    dear = [price for price in prices if price.usd != 0 or price.dual_usd]
    rows = [
        (price.app or "all apps", price.promise, price.change, change(price), dual(price))
        for price in dear
    ]
    show.console.print("\n[bold]what your SLO costs[/bold]")
    show.console.print(show.table(("app", "promise", "if", *numbers), rows, right=numbers))
    show.console.print(
        f"[dim]each a placement solved anew, moves free; {len(prices) - len(dear)} more changes would cost "
        "and save nothing. Dual: what one more saves where parts of a placement could be had[/dim]"
    )


def dual(price: Price) -> str:
    return f"{price.dual_usd:,.2f} per {price.unit}" if price.dual_usd else ""


def change(price: Price) -> str:
    """`saves 120`, `costs 80`, `0`, or that nothing fits."""
    if price.usd is None:
        return "nothing fits"
    if not price.usd:
        return "0"
    return f"{'saves' if price.usd < 0 else 'costs'} {abs(price.usd):,.0f}"


def row(placed: Placed) -> tuple[str, ...]:
    """One app: where it is and should be, and what that does."""
    now, then = placed.now, placed.then
    within = arrow(f"{now.within:.0%}", f"{then.within:.0%}")
    usd = arrow(f"{now.usd:,.0f}", f"{then.usd:,.0f}")
    moves = str(then.choice) if then.moved else "stays"
    return (placed.terms.name, str(now.choice), moves, within, usd, escape(placed.reason))


def arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def to_do(stack: Stack, found: Placement) -> list[str]:
    """What a move needs that only people have."""
    new = {
        place
        for placed in found.moved
        for place in placed.then.choice.locations
        if place not in stack.regions() and not stacks.is_local_zone(place)
    }
    aws = stack.portfolio.aws
    certified = aws.certificate_arns if aws else {}
    notes = []
    for place in sorted(new):
        needs = ["addresses of its own under portfolio.clusters"]
        if place.startswith("aws:") and place not in certified:
            needs.append("a certificate under portfolio.aws.certificate_arns")
        notes.append(f"{place} is new to this stack: give it {' and '.join(needs)}")
    return notes


def verdict(options: Namespace, file: str, found: Placement, diff: str) -> str:
    """What was done, or what to do next."""
    if not found.apps:
        return "no app can be judged; the lines above say what is missing"
    if not diff:
        return f"{file} says where apps should run; nothing to change"
    if options.write:
        return f"{file} written; review it as a pull request, and deploy the new place before the old one goes"
    return (
        f"nothing written; `fairweather place {options.stack} --write` makes these moves in {file}"
    )


def to_dict(found: Placement, prices: Sequence[Price], diff: str, edition: str) -> dict[str, Any]:
    """For `--json`."""
    return {
        "currency": "USD",
        "price_book": edition,
        "usd_month": {"now": round(found.usd_now, 2), "proposed": round(found.usd_then, 2)},
        "apps": {
            placed.terms.name: {
                "now": option(placed, now=True),
                "proposed": option(placed, now=False),
                "moves": placed.then.moved,
                "network_p95_ms": placed.terms.network_p95_ms,
                "reason": placed.reason,
            }
            for placed in found.apps
        },
        "not_judged": dict(found.problem.unjudged),
        "unpriced": list(found.problem.unpriced),
        "clashes": [str(clash) for clash in found.clashes],
        "prices": [
            {
                "app": price.app or None,
                "promise": price.promise,
                "change": price.change,
                "usd_month": price.usd,
                "dual_usd": price.dual_usd,
                "dual_unit": price.unit,
            }
            for price in prices
        ],
        "diff": diff,
    }


def option(placed: Placed, *, now: bool) -> dict[str, Any]:
    """One way to run an app, with which area is served where and how far that is."""
    way, terms = (placed.now if now else placed.then), placed.terms
    return {
        "locations": list(way.choice.locations),
        "gpu": way.choice.gpu,
        "usd_month": round(way.usd, 2),
        "users_within": round(way.within, 4),
        "gpus_at_peak": dict(zip(way.choice.locations, way.gpus, strict=True)),
        "network_ms": {
            terms.areas[area]: {place: round(terms.network_ms[terms.areas[area], place], 1)}
            for place, areas in zip(way.choice.locations, way.served, strict=True)
            for area in areas
        },
    }

"""What a whole stack costs a month, by the engine's own resources and the gate's own price book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stacks
from policypacks.guardrails.pricing import resources
from policypacks.guardrails.pricing.book import PriceBook
from policypacks.guardrails.pricing.declared import of_preview as declared_in
from policypacks.guardrails.pricing.resources import Estimate, Line
from policypacks.guardrails.pricing.week import Range


@dataclass(frozen=True)
class Budgets:
    """USD a month: of the portfolio, and of each app."""

    portfolio_usd: float
    apps_usd: Mapping[str, float]


def of_preview(states: Iterable[Mapping[str, Any]], prices: Path | None = None) -> Estimate:
    """Price the `newState` dictionaries of `pulumi preview --json`; `prices` is a user's file on top of the book.

    Raises PriceBookError where the file cannot be used.
    """
    return resources.price(declared_in(states), PriceBook.load(prices))


def budgets(stack_file: Path) -> Budgets:
    """What the stack file allows. Raises ContractError."""
    stack = stacks.load(stack_file)
    return Budgets(
        stack.portfolio.budget.monthly_usd,
        {name: app.budget.monthly_usd for name, app in stack.apps.items()},
    )


def to_dict(estimate: Estimate, allowed: Budgets) -> dict[str, Any]:
    """For `--json`: USD a month by app, the lines behind it, and what has no price."""
    return {
        "currency": "USD",
        "price_book": estimate.edition,
        "apps": {
            app: {**amounts(cost), "budget": allowed.apps_usd.get(app)}
            for app, cost in estimate.by_app().items()
        },
        "total": {**amounts(estimate.total()), "budget": allowed.portfolio_usd},
        "unpriced": estimate.unpriced(),
        "lines": [line_dict(line) for line in estimate.lines if line.state != "free"],
    }


def amounts(cost: Range) -> dict[str, float]:
    return {
        "low": round(cost.low, 2),
        "expected": round(cost.expected, 2),
        "high": round(cost.high, 2),
    }


def line_dict(line: Line) -> dict[str, Any]:
    usd = {} if line.usd is None else {"usd": amounts(line.usd)}
    about = {
        "app": line.app,
        "type": line.type,
        "name": line.name,
        "location": line.location,
        "state": line.state,
    }
    return {**about, **usd, "why": line.why, "urn": line.urn}

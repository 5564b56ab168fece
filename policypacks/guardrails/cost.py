"""What a change would cost a month, held against the budgets that the stack declares. Blocks on the expected cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from gate import Finding, Rule, StackRule
from pricing.book import PriceBook
from pricing.declared import Declared, Resource
from pricing.labels import SHARED
from pricing.resources import Estimate, price, reasons
from pricing.week import Range
from settings import Thresholds

UNCOUNTED = (
    "aws:batch/computeEnvironment:ComputeEnvironment",
    "aws:ec2/fleet:Fleet",
    "aws:ec2/spotFleetRequest:SpotFleetRequest",
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration",
    "gcp:compute/instanceFromTemplate:InstanceFromTemplate",
    "gcp:compute/instanceGroupManager:InstanceGroupManager",
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager",
    "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment",
)
"""Types that start machines which neither budgets nor quotas count."""
APP, PORTFOLIO = "fairweather:index:AppBudget", "fairweather:index:Portfolio"


@dataclass(frozen=True)
class Budget:
    """What one component says may be spent a month."""

    usd: float
    """NaN where it says no number."""
    urn: str

    @property
    def is_sound(self) -> bool:
        return math.isfinite(self.usd) and self.usd > 0


def rules(thresholds: Thresholds, book: PriceBook) -> tuple[Rule, ...]:
    @lru_cache(maxsize=1)  # these rules come one after the other, on the same stack
    def estimate(declared: Declared) -> Estimate:
        return price(declared, book)

    def priced(
        check: Callable[[Declared, Estimate], Iterator[Finding]],
    ) -> Callable[[Declared], Iterator[Finding]]:
        return lambda declared: check(declared, estimate(declared))

    return (
        StackRule(
            name="app-cost-within-budget",
            description="The expected monthly cost of each app is within its budget.",
            check=priced(apps_over),
            remedy="Lower the capacity of the app, or raise its budget.",
            limits=("fairweather:apps.*.budget.monthly_usd",),
        ),
        StackRule(
            name="team-cost-within-budget",
            description="All apps of a team together are expected to cost no more than the team may spend.",
            check=priced(lambda declared, estimate: teams_over(declared, estimate, thresholds)),
            remedy="Lower the capacity of the team's apps, or have its limit raised in `thresholds.yaml`.",
            limits=("budget.teams",),
        ),
        StackRule(
            name="portfolio-cost-within-budget",
            description="The expected monthly cost of everything is within the portfolio's budget.",
            check=priced(lambda declared, estimate: portfolio_over(declared, estimate, thresholds)),
            remedy="Lower capacity, or raise the budget of the portfolio; a stack without a portfolio declares one.",
            limits=("fairweather:portfolio.budget.monthly_usd", "budget.undeclared_usd"),
        ),
        StackRule(
            name="machines-are-priced",
            description="Machines are counted, and nearly all have a price, so that budgets mean something.",
            check=priced(
                lambda declared, estimate: chain(
                    uncounted(declared), unpriced_machines(estimate, thresholds)
                )
            ),
            remedy="Add rows to `pricing/prices.csv`, or choose machines that are sold there.",
            limits=("budget.unpriced_machines",),
        ),
        StackRule(
            name="cost-range-within-budget",
            description="Even with every ceiling reached all month, cost stays within budget.",
            check=priced(ranges_over),
            remedy="Lower the ceilings in fairweather:capacity, or raise the budget.",
            level="advisory",
            limits=(
                "fairweather:apps.*.budget.monthly_usd",
                "fairweather:portfolio.budget.monthly_usd",
            ),
        ),
        StackRule(
            name="costs-are-known",
            description="Each resource has a price; those without are in no sum.",
            check=priced(lambda _, estimate: unpriced(estimate)),
            remedy="Add rows to `pricing/prices.csv`.",
            level="advisory",
        ),
    )


def apps_over(declared: Declared, estimate: Estimate) -> Iterator[Finding]:
    budgets, cost = of_apps(declared), estimate.by_app()
    for app, budget in budgets.items():
        if not budget.is_sound:
            problem = f"{app} has a budget of {budget.usd} USD"
            yield Finding(f"{problem}; give it one above zero under fairweather:apps.", budget.urn)
        elif app in cost and cost[app].expected > budget.usd:
            measured = f"{app} is expected to cost {told(cost[app])}"
            remedy = "Lower its capacity or raise the budget."
            limit = f"its budget is {dollars(budget.usd)}"
            yield Finding(f"{measured}; {limit}. {_largest(estimate, app)} {remedy}", budget.urn)
    if of_portfolio(declared) is None:
        return
    for app in sorted(set(cost) - set(budgets) - {SHARED}):
        if cost[app].expected > 0:
            measured = f"{app} has no budget and is expected to cost {told(cost[app])}"
            remedy = "give it one under fairweather:apps, or tag its resources with an app that has"
            yield Finding(f"{measured}; {remedy}.")


def teams_over(declared: Declared, estimate: Estimate, thresholds: Thresholds) -> Iterator[Finding]:
    """By the owner that each app's budget names."""
    cost, apps_of = estimate.by_app(), defaultdict[str, set[str]](set)
    for component in declared.of_type(APP):
        apps_of[str(component.inputs.get("owner"))].add(str(component.inputs.get("app")))
    for team, limit in thresholds.team_budgets_usd.items():
        apps = sorted(apps_of[team] & set(cost))
        expected = sum(cost[app].expected for app in apps)
        if expected > limit:
            measured = (
                f"{team} is expected to spend {dollars(expected)} a month on {', '.join(apps)}"
            )
            yield Finding(f"{measured}; it may spend {dollars(limit)}. Lower their capacity.")


def portfolio_over(
    declared: Declared, estimate: Estimate, thresholds: Thresholds
) -> Iterator[Finding]:
    budget, cost = of_portfolio(declared), estimate.total()
    if budget is None:
        if cost.expected > thresholds.undeclared_usd:
            measured = f"the stack is expected to cost {told(cost)} and declares no budget"
            limit = f"without one it may cost {dollars(thresholds.undeclared_usd)}"
            yield Finding(f"{measured}; {limit}. Declare a fairweather Portfolio.")
    elif not budget.is_sound:
        problem = f"the portfolio has a budget of {budget.usd} USD"
        yield Finding(f"{problem}; give it one above zero.", budget.urn)
    elif cost.expected > budget.usd:
        measured = f"everything together is expected to cost {told(cost)}"
        limit = f"the portfolio's budget is {dollars(budget.usd)}"
        yield Finding(f"{measured}; {limit}. Lower capacity or raise the budget.", budget.urn)


def ranges_over(declared: Declared, estimate: Estimate) -> Iterator[Finding]:
    cost = estimate.by_app()
    limits = [(app, cost[app], budget) for app, budget in of_apps(declared).items() if app in cost]
    portfolio = of_portfolio(declared)
    if portfolio is not None:
        limits.append(("everything together", estimate.total(), portfolio))
    for what, amount, budget in limits:
        if amount.expected <= budget.usd < amount.high:
            measured = f"{what} may cost up to {dollars(amount.high)} a month"
            limit = f"the budget is {dollars(budget.usd)}"
            yield Finding(f"{measured} with every ceiling reached; {limit}.", budget.urn)


def uncounted(declared: Declared) -> Iterator[Finding]:
    for resource in declared.of_type(*UNCOUNTED):
        problem = f"{resource.name} starts machines that no budget and no quota counts"
        yield Finding(
            f"{problem}; use a node group, an autoscaling group or a node pool.", resource.urn
        )


def unpriced_machines(estimate: Estimate, thresholds: Thresholds) -> Iterator[Finding]:
    without, every = estimate.unpriced_machines()
    if every and without / every > thresholds.unpriced_machines:
        measured = f"{without:g} of {every:g} machines have no price ({without / every:.0%})"
        limit = f"the limit is {thresholds.unpriced_machines:.0%}"
        remedy = "Add rows to pricing/prices.csv, or choose machines that are sold there."
        yield Finding(f"{measured}, {limit}: {_why(estimate)}. {remedy}")


def unpriced(estimate: Estimate) -> Iterator[Finding]:
    for kind, lines in reasons(estimate.of_state("unpriced")).items():
        why = "; ".join(sorted({line.why for line in lines}))
        yield Finding(f"{len(lines)} of {kind} in no sum: {why}. Add rows to pricing/prices.csv.")


def of_apps(declared: Declared) -> dict[str, Budget]:
    """The budget of each app; the smallest where it is said twice."""
    found: dict[str, Budget] = {}
    for component in declared.of_type(APP):
        app, budget = str(component.inputs.get("app")), _budget(component)
        if app not in found or not budget.usd >= found[app].usd:
            found[app] = budget
    return found


def of_portfolio(declared: Declared) -> Budget | None:
    found = [_budget(component) for component in declared.of_type(PORTFOLIO)]
    return min(found, key=lambda budget: budget.usd, default=None)


def _budget(component: Resource) -> Budget:
    usd = component.number("monthly_budget_usd")
    return Budget(math.nan if usd is None else usd, component.urn)


def _largest(estimate: Estimate, app: str) -> str:
    lines = [line for line in estimate.lines if line.app == app and line.usd is not None]
    top = max(lines, key=lambda line: line.usd.expected if line.usd else 0.0)
    return f"Most of it: {top.name}, {top.why}."


def _why(estimate: Estimate) -> str:
    fleets = {fleet.resource.urn for fleet in estimate.fleets}
    lines = [line for line in estimate.of_state("unpriced") if line.urn in fleets]
    return "; ".join(sorted({f"{line.name}: {line.why}" for line in lines}))


def told(cost: Range) -> str:
    return f"{dollars(cost.expected)} a month ({dollars(cost.low)} to {dollars(cost.high)})"


def dollars(usd: float) -> str:
    return f"${usd:,.0f}"

"""What one replica costs an hour: the machine it runs on, or the memory that is kept warm for it.

The prices are the pack's: the gate and the planner must not disagree.
"""

from __future__ import annotations

from collections.abc import Callable

from policypacks.guardrails.pricing.book import PriceBook
from stacks.machines import gpu_machine
from stacks.records import App, GpuServing, ServerlessServing, Stack

HOURS_A_MONTH = 730
SECONDS_AN_HOUR = 3600


def unit_prices(stack: Stack, book: PriceBook) -> Callable[[str, str], float | None]:
    """A function (app, location) -> USD for one replica-hour on demand, or None where the book has no price."""

    def price(app: str, location: str) -> float | None:
        return replica_hour_usd(stack.apps[app], location, book)

    return price


def replica_hour_usd(app: App, location: str, book: PriceBook) -> float | None:
    """USD for one replica-hour of `app` at `location`; None where the book does not know."""
    serving = app.serving
    if isinstance(serving, GpuServing):
        machine = gpu_machine(location, serving.gpu, serving.gpus_per_replica)
        hourly = book.hourly(machine.name, location, machine.accelerator, machine.gpus)
        return None if hourly is None else hourly / machine.replicas(serving.gpus_per_replica)
    return warm_hour_usd(serving, location, book)


def warm_hour_usd(serving: ServerlessServing, location: str, book: PriceBook) -> float | None:
    """USD to keep one Lambda execution environment, or one Cloud Run instance, ready for an hour."""
    if location.startswith("aws:"):
        gib_second = book.price("lambda", "provisioned-concurrency", location)
        return (
            None
            if gib_second is None
            else gib_second * serving.resources.memory_gib * SECONDS_AN_HOUR
        )
    cpu, memory = (book.price("cloud-run", part, location) for part in ("idle-vcpu", "idle-memory"))
    if cpu is None or memory is None:
        return None
    return (cpu * serving.resources.cpu + memory * serving.resources.memory_gib) * SECONDS_AN_HOUR

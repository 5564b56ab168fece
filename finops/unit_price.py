"""What one replica costs an hour: the machine it runs on, or the memory that is kept warm for it.

The prices are the pack's: the gate and the planner must not disagree.
"""

from __future__ import annotations

from collections.abc import Callable

from policypacks.guardrails.pricing.book import PriceBook
from stacks.machines import SYSTEM_MACHINES, gpu_machine
from stacks.records import App, GpuServing, ServerlessServing, Stack

HOURS_A_MONTH = 730
SECONDS_AN_HOUR = 3600


def unit_prices(stack: Stack, book: PriceBook) -> Callable[[str, str], float | None]:
    """A function (app, location) -> USD for one replica-hour on demand, or None where the book has no price."""

    def price(app: str, location: str) -> float | None:
        return replica_hour_usd(as_granted(stack, app, location), location, book)

    return price


def as_granted(stack: Stack, name: str, location: str) -> App:
    """The app with the memory that was granted where it was measured."""
    app, capacity = stack.apps[name], stack.capacity.get(name, {}).get(location)
    if capacity is None or capacity.requests is None:
        return app
    memory = capacity.requests.memory_limit_gib
    resources = app.serving.resources.model_copy(update={"memory_gib": memory})
    serving = app.serving.model_copy(update={"resources": resources})
    return app.model_copy(update={"serving": serving})


def gpu_prices(stack: Stack, book: PriceBook) -> Callable[[str, str, str], float | None]:
    """A function (app, location, GPU) -> USD for one replica-hour, were it to run there and on that.

    What stands where a GPU would is ignored for an app without one.
    """

    def price(app: str, location: str, gpu: str) -> float | None:
        asked = stack.apps[app]
        if isinstance(asked.serving, GpuServing):
            serving = asked.serving.model_copy(update={"gpu": gpu})
            asked = asked.model_copy(update={"serving": serving})
        return replica_hour_usd(asked, location, book)

    return price


def cluster_prices(stack: Stack, book: PriceBook) -> Callable[[str], float | None]:
    """A function region -> USD an hour for a cluster before any app runs on it.

    That is the control plane, the nodes of its own services and, on AWS, a balancer and a NAT gateway.
    """

    def price(region: str) -> float | None:
        cloud = region.split(":", maxsplit=1)[0]
        choices = stack.portfolio.cluster(region)
        machine = choices.system_instance or SYSTEM_MACHINES[cloud].name
        node = book.hourly(machine, region)
        parts = [
            book.price("cluster", "eks" if cloud == "aws" else "gke", region),
            None if node is None else node * choices.system_nodes,
        ]
        if cloud == "aws":
            parts += [
                book.price("load-balancer", "application", region),
                book.price("nat", "gateway", region),
            ]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

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

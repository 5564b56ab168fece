"""The bill of materials: all that the stack file asks for, in the order in which it is needed."""

import gc
from pathlib import Path

import pulumi

import stacks
from components import AppBudget, EdgeLocations, Portfolio, backend, clusters

# A program runs once and ends: looking for garbage among the SDKs' classes took two fifths of its time.
gc.disable()

HERE = Path(__file__).resolve().parent
STACK_FILE = HERE / "stacks" / f"Pulumi.{pulumi.get_stack()}.yaml"

try:
    config = stacks.config_values(pulumi.Config("fairweather").get_object)
    stack = stacks.parse(config, STACK_FILE)
    services = [stacks.service(stack, *where, HERE / "models") for where in stack.services()]
except stacks.ContractError as error:
    raise pulumi.RunError(str(error)) from error

portfolio = Portfolio(stack)
cluster_of = clusters(stack)
backends = [backend(service, cluster_of, stack) for service in services]

for name in stack.apps:
    mine = [one for one in backends if one.name == name]
    edge = EdgeLocations(name, mine, stack, portfolio)
    AppBudget(name, stack, portfolio)
    pulumi.export(name, {one.location: one.endpoint for one in mine})

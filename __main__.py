"""The bill of materials: everything the stack file asks for, in the order in which it is needed."""

from pathlib import Path

import pulumi

import stacks
from components import AppBudget, EdgeLocations, ModelService, Portfolio, ServerlessBackend, clusters

HERE = Path(__file__).resolve().parent
STACK_FILE = HERE / "stacks" / f"Pulumi.{pulumi.get_stack()}.yaml"

try:
    stack = stacks.parse(stacks.config_values(pulumi.Config("fairweather").get_object), STACK_FILE)
    services = [stacks.service(stack, name, place, HERE / "models") for name, place in stack.services()]
except stacks.ContractError as error:
    raise pulumi.RunError(str(error)) from error

portfolio = Portfolio(stack)
cluster_of = clusters(stack)
built = {}
for name, place, capacity, model, fairness in services:
    if stack.apps[name].serving.target == "gpu":
        cluster = cluster_of[name, stacks.parent_region(place)]
        built[name, place] = ModelService(name, place, capacity, model, fairness, cluster, stack)
    else:
        built[name, place] = ServerlessBackend(name, place, capacity, model, fairness, stack)

for name, app in stack.apps.items():
    mine = {place: service for (owner, place), service in built.items() if owner == name}
    EdgeLocations(name, mine, stack, zone_id=portfolio.zone_id)
    AppBudget(name, app, stack.portfolio, topic_arn=portfolio.topic_arn, channels=portfolio.channels)
    pulumi.export(name, {place: service.endpoint for place, service in mine.items()})

"""What exists in the embedded clouds, asked of them by boto3 and the Kubernetes client.

Nothing here looks at Pulumi's state: what is told is what another program would find.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from stacks import Stack

POOLS = ("karpenter.sh/v1", "NodePool")
SCALERS = ("keda.sh/v1alpha1", "ScaledObject")


def lines(
    stack: Stack, kubeconfigs: Mapping[str, Path], recorded: Mapping[str, int]
) -> Iterator[str]:
    """A few lines a person reads; markup of rich."""
    for region in [place.split(":")[1] for place in stack.regions() if place.startswith("aws:")]:
        yield f"[bold]aws {region}[/bold]  " + "; ".join(in_region(region))
    if stack.portfolio.aws is not None:
        yield "[bold]aws, everywhere[/bold]  " + "; ".join(
            everywhere(stack.portfolio.aws.account_id)
        )
    for name, kubeconfig in kubeconfigs.items():
        yield f"[bold]cluster {name}[/bold]  {in_cluster(kubeconfig)}"
    if recorded:
        yield f"[bold]recorded only[/bold]  [dim]{by_cloud(recorded)}[/dim]"


def by_cloud(recorded: Mapping[str, int]) -> str:
    """`aws 4 Addon; gcp 1 Network, 3 Budget`."""
    clouds: dict[str, list[str]] = defaultdict(list)
    for kind, count in sorted(recorded.items()):
        clouds[kind.split(":")[0]].append(f"{count} {kind.split(':')[-1]}")
    return "; ".join(f"{cloud} {', '.join(kinds)}" for cloud, kinds in clouds.items())


def in_region(region: str) -> Iterator[str]:
    """EKS clusters with their node groups and scheduled floors, and functions."""
    eks, scaling = client("eks", region), client("autoscaling", region)
    for cluster in eks.list_clusters()["clusters"]:
        groups = eks.list_nodegroups(clusterName=cluster)["nodegroups"]
        machines: dict[str, int] = defaultdict(int)
        for group in groups:
            found = eks.describe_nodegroup(clusterName=cluster, nodegroupName=group)["nodegroup"]
            machines[found["instanceTypes"][0]] += found["scalingConfig"]["maxSize"]
        nodes = ", ".join(f"up to {count} x {kind}" for kind, count in sorted(machines.items()))
        yield f"EKS {cluster} with {counted(len(groups), 'node group')} ({nodes})"
    actions = scaling.get_paginator("describe_scheduled_actions").paginate().build_full_result()
    if actions["ScheduledUpdateGroupActions"]:
        yield counted(len(actions["ScheduledUpdateGroupActions"]), "scheduled floor change")
    functions = client("lambda", region).list_functions()["Functions"]
    if functions:
        yield counted(len(functions), "Lambda function")


def everywhere(account: str) -> Iterator[str]:
    """Budgets and CDN distributions, which belong to no region."""
    budgets = client("budgets", "us-east-1").describe_budgets(AccountId=account).get("Budgets", [])
    amounts = ", ".join(
        f"{budget['BudgetName']} ${float(budget['BudgetLimit']['Amount']):,.0f}"
        for budget in budgets
    )
    yield f"budgets: {amounts or 'none'}"
    listed = client("cloudfront", "us-east-1").list_distributions()["DistributionList"]
    yield counted(len(listed.get("Items", [])), "CloudFront distribution")


def in_cluster(kubeconfig: Path) -> str:
    """Deployments, and the bounds that the autoscaler was given."""
    api = kubernetes(str(kubeconfig))
    deployments = [
        item
        for item in objects(api, "apps/v1", "Deployment")
        if item.metadata.namespace != "kube-system"
    ]
    bounds = [scaler(item) for item in objects(api, *SCALERS)]
    bounds += [
        autoscaler(item) for item in objects(api, "autoscaling/v2", "HorizontalPodAutoscaler")
    ]
    pools = objects(api, *POOLS)
    told = [counted(len(deployments), "deployment")]
    if pools:
        told.append(counted(len(pools), "Karpenter node pool"))
    return ", ".join(told) + "".join(f"\n    {line}" for line in sorted(bounds))


def scaler(item: Any) -> str:
    spec = item.spec
    floors = [int(t.metadata.desiredReplicas) for t in spec.triggers if t.type == "cron"]
    most = max([spec.minReplicaCount or 0, *floors])
    place = f"{item.metadata.namespace}/{item.metadata.name}"
    windows = counted(len(floors), "window")
    return (
        f"{place}: floor {spec.minReplicaCount}-{most} in {windows}, ceiling {spec.maxReplicaCount}"
    )


def autoscaler(item: Any) -> str:
    spec, place = item.spec, f"{item.metadata.namespace}/{item.metadata.name}"
    return f"{place}: floor {spec.minReplicas}, ceiling {spec.maxReplicas} (HPA)"


def objects(api: Any, version: str, kind: str) -> list[Any]:
    from kubernetes.dynamic.exceptions import ResourceNotFoundError

    try:
        return list(api.resources.get(api_version=version, kind=kind).get().items)
    except ResourceNotFoundError:  # the cluster does not know the type
        return []


@cache
def kubernetes(kubeconfig: str) -> Any:
    import urllib3
    from kubernetes import config, dynamic

    urllib3.disable_warnings()  # the embedded API server signs its own certificate
    # The client's own discovery cache is one file for everybody.
    cached = os.path.join(tempfile.mkdtemp(), "discovery.json")  # noqa: PTH118  (the client wants text)
    return dynamic.DynamicClient(config.new_client_from_config(kubeconfig), cache_file=cached)


def client(service: str, region: str) -> Any:
    import boto3

    return boto3.client(service, region_name=region)


def counted(count: int, noun: str) -> str:
    """`1 cluster`, `2 clusters`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"

"""What serves an app at one location, by what the app asks for."""

from __future__ import annotations

from components.edge import Backend
from components.inference_cluster import Clusters
from components.model_service import ModelService
from components.serverless import ServerlessBackend
from stacks.models import Service
from stacks.records import Stack, parent_region


def backend(service: Service, clusters: Clusters, stack: Stack) -> Backend:
    """GPU nodes and pods in the region's cluster, or a function."""
    if stack.apps[service.name].serving.target == "gpu":
        cluster = clusters[service.name, parent_region(service.location)]
        return ModelService(service, cluster, stack)
    return ServerlessBackend(service, stack)

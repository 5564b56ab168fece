"""Pulumi components, one file for each thing you can point at."""

from components.backend import backend
from components.budget import AppBudget
from components.edge import EdgeLocations
from components.inference_cluster import InferenceCluster, clusters
from components.model_service import ModelService
from components.portfolio import Portfolio
from components.serverless import ServerlessBackend

__all__ = [
    "AppBudget",
    "EdgeLocations",
    "InferenceCluster",
    "ModelService",
    "Portfolio",
    "ServerlessBackend",
    "backend",
    "clusters",
]

"""Runs the real program for one stack file against a monitor that answers without an engine; prints what it declares.

    python tests/policypacks/declare.py STACK ROOT

One JSON list of resources as `pulumi preview --json` names their fields (`urn`, `type`, `inputs`, `outputs`, `parent`,
`propertyDependencies`), unknowns included; components carry what they registered as `outputs`.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pulumi.runtime
import yaml
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    resource_pb2,
    resource_pb2_grpc,
)

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
Resource = dict[str, Any]


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Answers as the engine does at preview: what was given comes back, ids are unknown."""

    def __init__(self, stack: str, project: str) -> None:
        self.stack, self.project = stack, project
        self.resources: dict[str, Resource] = {}
        self.lock = threading.Lock()

    def SupportsFeature(self, request: Any, _context: Any) -> Any:
        known = request.id in {
            "secrets",
            "resourceReferences",
            "outputValues",
            "aliasSpecs",
            "deletedWith",
        }
        return resource_pb2.SupportsFeatureResponse(hasSupport=known)

    def RegisterResource(self, request: Any, _context: Any) -> Any:
        inputs = plain(request.object)
        parent_type = request.parent.split("::")[2] + "$" if request.parent else ""
        if parent_type.startswith("pulumi:pulumi:Stack"):
            parent_type = ""
        urn = (
            f"urn:pulumi:{self.stack}::{self.project}::{parent_type}{request.type}::{request.name}"
        )
        found: Resource = {
            "urn": urn,
            "type": request.type,
            "custom": request.custom,
            "parent": request.parent,
            "provider": request.provider,
            "inputs": inputs,
            "outputs": inputs if request.custom else {},
            "dependencies": list(request.dependencies),
            "propertyDependencies": {
                key: list(found.urns)
                for key, found in request.propertyDependencies.items()
                if found.urns
            },
        }
        with self.lock:
            self.resources[urn] = found
        state = struct_pb2.Struct()
        state.update(inputs)
        return resource_pb2.RegisterResourceResponse(
            urn=urn,
            id=UNKNOWN if request.custom else "",
            object=state if request.custom else request.object,
        )

    def RegisterResourceOutputs(self, request: Any, _context: Any) -> Any:
        with self.lock:
            if request.urn in self.resources:
                self.resources[request.urn]["outputs"] = plain(request.outputs)
        return empty_pb2.Empty()

    def RegisterPackage(self, _request: Any, _context: Any) -> Any:
        return resource_pb2.RegisterPackageResponse(ref="")

    def Invoke(self, _request: Any, _context: Any) -> Any:
        return provider_pb2.InvokeResponse()


class Engine(engine_pb2_grpc.EngineServicer):
    def __init__(self) -> None:
        self.root = ""

    def SetRootResource(self, request: Any, _context: Any) -> Any:
        self.root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def GetRootResource(self, _request: Any, _context: Any) -> Any:
        return engine_pb2.GetRootResourceResponse(urn=self.root)

    def Log(self, request: Any, _context: Any) -> Any:
        if request.severity >= engine_pb2.LogSeverity.ERROR:
            print(request.message, file=sys.stderr)
        return empty_pb2.Empty()


def plain(message: Any) -> Any:
    """A Struct as dictionaries; output values give their value, or the unknown."""
    return bare(json_format.MessageToDict(message))


def bare(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("4dabf18193072939515e22adb298388d") == "d0e6a833031e9bbcd3f4e8bde6ca49a4":
            return bare(value.get("value", UNKNOWN))
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value


def declared(stack: str, root: Path) -> list[Resource]:
    project = yaml.safe_load((root / "Pulumi.yaml").read_text())["name"]
    config = yaml.safe_load((root / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    monitor, engine = Monitor(stack, project), Engine()
    server = grpc.server(ThreadPoolExecutor(16))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    pulumi.runtime.set_all_config(
        {
            key: value if isinstance(value, str) else json.dumps(value, default=str)
            for key, value in config.items()
        }
    )
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=project, stack=stack, monitor=address, engine=address, dry_run=True, parallel=16
        )
    )
    sys.path.insert(0, str(root))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(64))
    loop.run_until_complete(
        pulumi.runtime.run_in_stack(
            lambda: runpy.run_path(str(root / "__main__.py"), run_name="__main__")
        )
    )
    server.stop(None)
    return list(monitor.resources.values())


if __name__ == "__main__":
    print(json.dumps(declared(sys.argv[1], Path(sys.argv[2]))))

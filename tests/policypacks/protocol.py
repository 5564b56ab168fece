"""A client of the pack's own process: starts it as the engine does and speaks its protocol."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

Resource = dict[str, Any]
Said = list[tuple[str, str, str, str]]
"""(rule, level, urn, message) of each finding."""
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Pack:
    """A started pack."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub
        self.info = stub.GetAnalyzerInfo(empty_pb2.Empty())
        stub.ConfigureStack(
            analyzer_pb2.AnalyzerStackConfigureRequest(
                stack="prod", project="fairweather", dry_run=True
            )
        )
        stub.Configure(analyzer_pb2.ConfigureAnalyzerRequest())

    def judge(self, resources: Sequence[Resource]) -> Said:
        """What every rule says of resources as `pulumi preview --json` names their fields."""
        found: Said = []
        for resource in resources:
            found += said(self.stub.Analyze(one(resource)))
        stack = analyzer_pb2.AnalyzeStackRequest(
            resources=[observed(resource) for resource in resources]
        )
        return found + said(self.stub.AnalyzeStack(stack))


@contextmanager
def started(folder: Path, **environment: str) -> Iterator[Pack]:
    """The pack of a folder, in a process of its own."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(folder)]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment or None,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            port = process.stdout.readline().strip()
            if not port.isdigit():
                process.wait(10)
                raise RuntimeError(port + process.stderr.read())
            with grpc.insecure_channel(f"127.0.0.1:{port}", OPTIONS) as channel:
                yield Pack(analyzer_pb2_grpc.AnalyzerStub(channel))
        finally:
            process.kill()


def one(resource: Resource) -> Any:
    return analyzer_pb2.AnalyzeRequest(
        type=resource["type"],
        properties=struct(resource["inputs"]),
        urn=resource["urn"],
        name=resource["urn"].split("::")[-1],
    )


def observed(resource: Resource) -> Any:
    needs = {
        key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
        for key, urns in (resource.get("propertyDependencies") or {}).items()
    }
    return analyzer_pb2.AnalyzerResource(
        type=resource["type"],
        properties=struct(resource.get("outputs", resource["inputs"])),
        urn=resource["urn"],
        name=resource["urn"].split("::")[-1],
        parent=resource.get("parent") or "",
        propertyDependencies=needs,
        dependencies=resource.get("dependencies") or [],
        provider=analyzer_pb2.AnalyzerProviderResource(
            urn=resource["provider"].rsplit("::", 1)[0], type="pulumi:providers:x", name="x"
        )
        if resource.get("provider")
        else None,
    )


def struct(values: Any) -> Any:
    made = struct_pb2.Struct()
    made.update(values)
    return made


LEVELS = {0: "advisory", 1: "mandatory"}


def said(response: Any) -> Said:
    return [
        (d.policyName, LEVELS[d.enforcementLevel], d.urn, d.message.split("\n", 1)[-1])
        for d in response.diagnostics
    ]

"""Run the real program for one stack file without an engine, and print what it declares as JSON.

A process of its own: the SDK's settings are global, and what a program imports is part of the test.

    python declare.py CHECKOUT STACK_FILE
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks
from ruamel.yaml import YAML

OUTPUTS: dict[str, Any] = {
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://eks.invalid",
        "certificateAuthority": {"data": "LS0t"},
        "vpcConfig": {"clusterSecurityGroupId": "sg-nodes"},
    },
    "aws:eks/nodeGroup:NodeGroup": {"resources": [{"autoscalingGroups": [{"name": "behind"}]}]},
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 3},
    "aws:lambda/function:Function": {"version": "7"},
    "aws:lambda/functionUrl:FunctionUrl": {"functionUrl": "https://lambda.invalid/"},
    "aws:lb/loadBalancer:LoadBalancer": {"dnsName": "lb.invalid", "zoneId": "Z1"},
    "aws:cloudfront/distribution:Distribution": {"domainName": "d1.cloudfront.invalid"},
    "aws:route53/zone:Zone": {"zoneId": "Z2"},
    "gcp:cloudrunv2/service:Service": {"uri": "https://run.invalid/"},
    "gcp:compute/globalAddress:GlobalAddress": {"address": "203.0.113.7"},
    "gcp:container/cluster:Cluster": {
        "endpoint": "192.0.2.1",
        "masterAuth": {"clusterCaCertificate": "LS0t"},
    },
    "gcp:serviceaccount/account:Account": {"email": "sa@lumen.invalid"},
}
"""What a cloud would answer, by type, where the program goes on with it."""


class Cloud(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        answered = {"arn": f"arn:of:{args.name}", **OUTPUTS.get(args.typ, {})}
        return f"id-of-{args.name}", {**args.inputs, **answered}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        assert args.token == "gcp:organizations/getProject:getProject", args.token
        return {"number": "1234567890"}, []


class Recorder(mocks.MockMonitor):
    """A monitor that remembers what it is asked to register."""

    def __init__(self) -> None:
        super().__init__(Cloud())
        self.declared: list[dict[str, Any]] = []
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)
        self.declared.append(
            {
                "urn": answer.urn,
                "type": request.type,
                "name": request.name,
                "custom": request.custom,
                "parent": request.parent,
                "provider": request.provider,
                "dependencies": sorted(request.dependencies),
                "ignore_changes": list(request.ignoreChanges),
                "inputs": json_format.MessageToDict(request.object),
            }
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        self.outputs[request.urn] = json_format.MessageToDict(request.outputs)
        return super().RegisterResourceOutputs(request)


def main() -> None:
    checkout, stack_file = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(checkout))
    config = YAML(typ="safe").load(stack_file)["config"]
    pulumi.runtime.set_all_config(
        {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in config.items()
        }
    )
    recorder = Recorder()
    stack = stack_file.stem.removeprefix("Pulumi.")
    mocks.set_mocks(recorder.mocks, project="fairweather", stack=stack, monitor=recorder)

    @pulumi.runtime.test
    def program() -> None:
        runpy.run_path(str(checkout / "__main__.py"), run_name="__main__")

    try:
        program()
    except pulumi.RunError as error:
        sys.exit(f"RunError: {error}")
    providers = sorted({name.split(".")[0] for name in sys.modules if name.startswith("pulumi_")})
    told = {"declared": recorder.declared, "outputs": recorder.outputs, "providers": providers}
    print(json.dumps(told))


main()

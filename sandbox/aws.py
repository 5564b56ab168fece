"""aws: Pulumi inputs to boto3 calls against moto, driven by a table (aws_types).

An operation is called with the whole bag of what is known about a resource and takes what its request model has a place
for. From the same models follows which inputs an update changes in place and which force a replacement.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import jmespath
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.clusters import Clusters
from sandbox.notebook import Notebook
from sandbox.provider import Bag, Cloud, Difference, Refused, Request, differences, top
from sandbox.shapes import Names, arguments, place, properties, reflect

ACCOUNT = "123456789012"
LOCK = threading.RLock()
"""moto's state is shared by all threads."""
GONE = re.compile(r"NotFound|NoSuch|^404$")
OPERATION = re.compile(r"(\w+)(?:\((.*?)\))?(?::(.*))?", re.DOTALL)


class Gone(Refused):
    """AWS knows no such object."""


class Blank(dict[str, str]):
    """Format fields that are not there are empty."""

    def __missing__(self, key: str) -> str:
        return ""


class Aws:
    """boto3 clients of one region: `aws.ec2.describe_vpcs()`."""

    def __init__(self, region: str) -> None:
        self.region = region

    def __getattr__(self, service: str) -> Any:
        return client(service.rstrip("_").replace("_", "-"), self.region)


@functools.cache
def client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region)  # type: ignore[call-overload]  # the name comes from the table


@dataclass(frozen=True)
class Type:
    """How one Pulumi type is made of AWS operations.

    An operation reads `name(only these keys):JMESPath of the object in the answer`; without keys it takes whatever it has
    a place for.
    """

    token: str
    service: str
    create: str
    read: str
    delete: str = ""
    update: tuple[str, ...] = ()
    """Each is called when it takes an input that changed."""
    id: str = "{id}"
    """Built from the inputs and the created object."""
    name: str = ""
    """The input to name automatically."""
    names: Names = field(default_factory=dict)
    """Input -> API member, where they differ by more than case or plural."""
    fix: Callable[[Bag], Bag] | None = None
    """Extra request members, for what is not one to one."""
    see: Callable[[Bag, Aws, Bag], Bag] | None = None
    """Extra live properties."""
    after: Callable[[Aws, Bag, Bag | None], object] | None = None
    """Further calls after create (old is None) and update."""
    before_delete: Callable[[Aws, Bag], object] | None = None
    replace: tuple[str, ...] = ()
    """Inputs that force a replacement although the models do not say so."""
    in_place: tuple[str, ...] = ()
    """Inputs that `after` or `fix` can change."""
    outputs: tuple[str, ...] = ()
    """Structured outputs to hand to the program; plain ones all are."""


@functools.cache
def model(service: str, operation: str) -> Any:
    """The request shape of an operation, or None."""
    one = client(service, "us-east-1")
    return one.meta.service_model.operation_model(one.meta.method_to_api_mapping[operation]).input_shape


def takes(service: str, operation: str, key: str, names: Names) -> bool:
    shape = model(service, re.match(r"\w+", operation)[0])  # type: ignore[index]  # the table's own pattern
    return shape is not None and place(shape.members, key, names) is not None


class AwsCloud(Cloud):
    """AWS in one account. Types that moto has no backend for are recorded; others are refused by name."""

    package = "aws"

    def __init__(
        self, types: Mapping[str, Type], recorded: frozenset[str], notebook: Notebook, clusters: Clusters | None,
        quotas: Mapping[str, int],
    ) -> None:  # fmt: skip
        self._types, self._recorded, self._notebook, self._clusters = types, recorded, notebook, clusters
        self._quotas = quotas
        self.gaps: dict[str, dict[str, str]] = {}
        """type -> input that moto drops -> how."""

    def _type(self, token: str) -> Type | None:
        if token not in self._types and token not in self._recorded:
            raise Refused(f"the sandbox does not know {token}; add it to sandbox/aws_types")
        return self._types.get(token)

    @staticmethod
    def _region(inputs: Bag, config: Bag) -> str:
        return str(inputs.get("region") or config.get("region") or "us-east-1")

    def check(self, request: Request, old: Bag, new: Bag) -> Bag:
        kind = self._type(request.type)
        key = kind.name if kind else "name"
        if request.type == "aws:eks/nodeGroup:NodeGroup":
            self._within_quota(new, self._region(new, request.config))
        return {**new, key: request.auto_name(new.get(key) or old.get(key))} if key else new

    def diff(self, request: Request, old: Bag, new: Bag, state: Bag, paths: list[str]) -> Difference:
        kind = self._types.get(request.type)
        replaces = tuple(path for path in paths if kind is not None and self._replaces(kind, top(path)))
        name = new.get(kind.name) if kind and kind.name else None
        fixed_name = bool(name) and old.get(kind.name if kind else "") == name and not request.is_auto_name(str(name))
        return Difference(replaces, delete_first=bool(replaces) and fixed_name)

    @staticmethod
    def _replaces(kind: Type, key: str) -> bool:
        if key in kind.in_place:
            return False
        if key in kind.replace or key in (kind.name, "region"):
            return True
        return takes(kind.service, kind.create, key, kind.names) and not any(
            takes(kind.service, operation, key, kind.names) for operation in kind.update
        )

    def create(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        kind, region = self._type(request.type), self._region(inputs, request.config)
        if request.preview:
            return "", inputs
        if kind is None:
            return self._record(request, inputs, region)
        bag = {**inputs, "region": region}
        made = self._call(kind, kind.create, bag, region)
        facts = made if isinstance(made, dict) else {}
        id_ = kind.id.format_map(Blank({**inputs, **facts}))
        bag = bag_of(inputs, properties(facts), id_, region)
        if kind.after is not None:
            self._guard(kind.after, Aws(region), bag, None)
        return id_, self._outputs(request, kind, id_, inputs, bag, self._look(kind, bag, region) or {})[1]

    def read(self, request: Request, inputs: Bag, state: Bag) -> tuple[Bag, Bag] | None:
        kind, region = self._type(request.type), self._region(inputs or state, request.config)
        if kind is None:
            page = self._notebook.get(request.urn)
            return None if page is None else ({**inputs, **page}, {**state, **page})
        bag = bag_of(inputs, state, request.id, region)
        live = self._look(kind, bag, region)
        return None if live is None else self._outputs(request, kind, request.id, inputs, bag, live)

    def update(self, request: Request, old: Bag, new: Bag, state: Bag) -> Bag:
        kind, region = self._type(request.type), self._region(new, request.config)
        kept = {key: value for key, value in state.items() if key not in old}
        if request.preview or kind is None:
            if not request.preview:
                self._notebook.put(request.urn, new)
            return {**kept, **new}
        changed = {top(path) for path, _ in differences(old, new)}
        bag = bag_of(new, kept, request.id, region)
        shaped = kind.fix(bag) if kind.fix and changed & set(kind.in_place) else {}
        moved = {*(changed & set(new)), *(key for key, value in shaped.items() if value)}
        for operation in kind.update:
            if any(takes(kind.service, operation, key, kind.names) for key in moved):
                self._call(kind, operation, bag, region)
        removed = sorted(set(old.get("tags") or {}) - set(new.get("tags") or {}))
        tagging = next((op for op in kind.update if op.startswith("tag_")), None)
        if removed and tagging:
            self._call(kind, tagging.replace("tag_", "untag_", 1), {**bag, "tagKeys": removed}, region)
        if kind.after is not None:
            self._guard(kind.after, Aws(region), bag, old)
        return self._outputs(request, kind, request.id, new, bag, self._look(kind, bag, region) or {})[1]

    def delete(self, request: Request, old: Bag, state: Bag) -> None:
        kind, region = self._type(request.type), self._region(old or state, request.config)
        if kind is None:
            self._notebook.put(request.urn, None)
            return
        bag = bag_of(old, state, request.id, region)
        try:
            if kind.before_delete is not None:
                self._guard(kind.before_delete, Aws(region), bag)
            if kind.delete:
                self._call(kind, kind.delete, bag, region)
        except Gone:
            pass
        if request.type == "aws:eks/cluster:Cluster" and self._clusters is not None:
            self._clusters.remove(cluster_name(bag, region))

    def invoke(self, token: str, arguments: Bag, config: Bag) -> Bag:
        region = self._region(arguments, config)
        match token:
            case "aws:index/getCallerIdentity:getCallerIdentity":
                who = client("sts", region).get_caller_identity()
                return {"accountId": who["Account"], "arn": who["Arn"], "userId": who["UserId"], "id": who["Account"]}
            case "aws:index/getRegion:getRegion":
                return {"name": region, "region": region, "id": region, "description": region}
            case "aws:index/getPartition:getPartition":
                return {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws", "reverseDnsPrefix": "com.amazonaws"}
        return super().invoke(token, arguments, config)

    def _record(self, request: Request, inputs: Bag, region: str) -> tuple[str, Bag]:
        self.warn(request.urn, f"recorded only: moto has no {request.type.split(':')[-1]}")
        self._notebook.put(request.urn, {**inputs, "_type": request.type})
        id_ = f"{request.name}-{region}"
        return id_, {**inputs, "arn": f"arn:aws:sandbox:{region}:{ACCOUNT}:{id_}"}

    def _within_quota(self, inputs: Bag, region: str) -> None:
        """The account's limit on running instances of a type, where the sandbox was given one."""
        for kind in inputs.get("instanceTypes") or ():
            limit = self._quotas.get(f"{region}:{kind}")
            wanted = (inputs.get("scalingConfig") or {}).get("maxSize", 0)
            if limit is not None and isinstance(wanted, int) and wanted > limit:
                raise Refused(
                    f"VcpuLimitExceeded: You have requested more instances ({wanted} of {kind}) than your current limit "
                    f"of {limit} in {region} allows."
                )

    def _call(self, kind: Type, operation: str, bag: Bag, region: str) -> Any:
        match = OPERATION.fullmatch(operation)
        assert match is not None, operation
        name, only, path = match.groups()
        bag = {**bag, **(kind.fix(bag) if kind.fix else {})}
        bag = {key: value for key, value in bag.items() if not only or key in only.split(",")}
        shape = model(kind.service, name)
        request = arguments(shape, bag, {"id": (), **kind.names}) if shape is not None else {}
        answer = self._guard(lambda: getattr(client(kind.service, region), name)(**request))
        text = Blank({key: value for key, value in bag.items() if isinstance(value, str)})
        return jmespath.search(path.format_map(text), answer) if path else answer

    @staticmethod
    def _guard(call: Callable[..., Any], *arguments: Any) -> Any:
        """Call AWS; its errors become Gone or Refused in AWS' own words."""
        try:
            with LOCK:
                return call(*arguments)
        except NotImplementedError as error:
            raise Refused(f"moto cannot do this: {error}") from error
        except (ClientError, BotoCoreError) as error:
            if "Not yet implemented" in str(error):
                raise Refused(f"moto cannot do this: {error}") from error
            found = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            raise (Gone if GONE.search(found) else Refused)(str(error)) from error

    def _look(self, kind: Type, bag: Bag, region: str) -> Bag | None:
        """The live object as AWS tells it."""
        try:
            live = self._call(kind, kind.read, bag, region)
            if not live or str(live.get("status")) == "DELETED":
                return None
            extra = self._guard(kind.see, live, Aws(region), bag) if kind.see else {}
        except Gone:
            return None
        return {**live, **extra}

    def _outputs(self, request: Request, kind: Type, id_: str, inputs: Bag, bag: Bag, live: Bag) -> tuple[Bag, Bag]:
        unseen: list[str] = []
        seen = reflect(inputs, live, kind.names, unseen)
        gaps = self.gaps.setdefault(kind.token, {})
        for path in set(unseen) - {"region"}:
            sent = kind.fix is not None or top(path) in kind.in_place or any(
                takes(kind.service, operation, top(path), kind.names) for operation in (kind.create, *kind.update)
            )  # fmt: skip
            gaps[path] = "not reported back" if sent else "never sent"
        outputs = {**properties(live, kind.outputs), **seen, "id": id_, "region": bag["region"]}
        outputs["tagsAll"] = seen.get("tags") if isinstance(seen.get("tags"), dict) else {}
        if kind.token == "aws:eks/cluster:Cluster":
            outputs.update(self._eks(bag))
        return seen, outputs

    def _eks(self, bag: Bag) -> Bag:
        """A real API server behind the cluster."""
        if self._clusters is None:
            raise Refused("the sandbox runs without Kubernetes: etcd and kube-apiserver are missing; run `make setup`")
        cluster = self._clusters.ensure(cluster_name(bag, bag["region"]))
        return {"endpoint": cluster.url, "certificateAuthority": {"data": cluster.authority}}


def cluster_name(bag: Bag, region: str) -> str:
    return f"eks-{region}-{bag['name']}"


def bag_of(inputs: Bag, state: Bag, id_: str, region: str) -> Bag:
    return {**{key: value for key, value in state.items() if key not in inputs}, **inputs, "id": id_, "region": region}

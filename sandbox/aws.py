"""aws: Pulumi inputs to boto3 calls against moto, driven by a table (aws_types).

An operation is called with the whole bag of what is known about a resource and takes what its
request model has a place for. From the same models follows which inputs an update changes in place
and which force a replacement.
"""

from __future__ import annotations

import functools
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import boto3
import jmespath
from botocore.exceptions import BotoCoreError, ClientError
from botocore.validate import ParamValidator

from sandbox.clusters import Clusters
from sandbox.notebook import Notebook
from sandbox.provider import (
    UNKNOWN,
    Bag,
    Cloud,
    Difference,
    Refused,
    Request,
    differences,
    has_unknown,
    top,
)
from sandbox.shapes import Names, arguments, place, properties, reflect

ACCOUNT = "123456789012"
"""moto's, and of AWS' own examples."""
LOCK = threading.Lock()
"""moto's state is shared by all threads."""
GONE = re.compile(r"NotFound|NoSuch|NonExistent|^404$")
OPERATION = re.compile(r"(\w+)(?:\((.*?)\))?(?::(.*))?", re.DOTALL)
ZONE = {"names": "ZoneName", "zoneIds": "ZoneId"}
NOWHERE: Names = {"id": (), "region": ()}
"""What no request takes under that name."""
NOT_SENT, NOT_REPORTED = "never sent", "not reported back"


class Gone(Refused):
    """AWS knows no such object."""


class Blank(dict[str, str]):
    """Format fields that are not there are empty."""

    def __missing__(self, key: str) -> str:
        return ""


class Service:
    """A boto3 client whose calls wait for each other; AWS' errors become Gone or Refused."""

    def __init__(self, name: str, region: str) -> None:
        self._client = client(name, region)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return partial(self._call, getattr(self._client, operation))

    @staticmethod
    def _call(method: Callable[..., Any], **request: Any) -> Any:
        try:
            with LOCK:
                return method(**request)
        except NotImplementedError as error:
            raise Refused(f"moto cannot do this: {error}") from error
        except (ClientError, BotoCoreError) as error:
            if "Not yet implemented" in str(error):  # a 404, but no word about the object
                raise Refused(f"moto cannot do this: {error}") from error
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            raise (Gone if GONE.search(code) else Refused)(str(error)) from error


@dataclass(frozen=True)
class Aws:
    """What the hooks of a type work with: `aws.ec2.describe_vpcs()`, in one region."""

    region: str
    clusters: Clusters | None = None
    """API servers for EKS clusters; None without the Kubernetes binaries."""

    def __getattr__(self, service: str) -> Any:
        return Service(service.rstrip("_").replace("_", "-"), self.region)


@functools.cache
def client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region)


@dataclass(frozen=True)
class Type:
    """How one Pulumi type is made of AWS operations.

    An operation reads `name(only these keys):JMESPath of the object in the answer`; without keys it
    takes whatever it has a place for.
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
    anew: tuple[str, ...] = ()
    """Outputs that any update but one of tags makes anew, and that a preview cannot know."""
    outputs: tuple[str, ...] = ()
    """Structured outputs to hand to the program; plain ones all are."""

    def takes(self, operation: str, key: str) -> bool:
        """Whether an operation has a place for an input."""
        match = OPERATION.fullmatch(operation)
        assert match is not None, operation
        shape = model(self.service, match[1])
        return shape is not None and place(shape.members, key, self.names) is not None

    def sends(self, key: str) -> bool:
        """Whether an input reaches AWS at all."""
        if self.fix is not None or key in self.in_place:
            return True
        return any(self.takes(operation, key) for operation in (self.create, *self.update))

    def replaces(self, key: str) -> bool:
        """Whether a change of an input forces a new object."""
        if key in self.in_place:
            return False
        if key in self.replace or key in (self.name, "region"):
            return True
        return self.takes(self.create, key) and not any(
            self.takes(operation, key) for operation in self.update
        )


@functools.cache
def model(service: str, operation: str) -> Any:
    """The request shape of an operation, or None."""
    meta = client(service, "us-east-1").meta
    return meta.service_model.operation_model(meta.method_to_api_mapping[operation]).input_shape


class AwsCloud(Cloud):
    """AWS in one account. Types that moto has no backend for are recorded; others are refused."""

    package = "aws"

    def __init__(
        self,
        types: Mapping[str, Type],
        recorded: frozenset[str],
        dropped: Mapping[str, Mapping[str, str]],
        notebook: Notebook,
        held: Notebook,
        clusters: Clusters | None,
    ) -> None:
        """Serve `types`; `dropped` has the inputs per type that moto is known not to keep.

        `notebook` keeps the recorded objects, `held` the type of each that lives in moto.
        """
        self._types, self._recorded, self._dropped = types, recorded, dropped
        self._notebook, self._held, self._clusters = notebook, held, clusters

    def check(self, request: Request, old: Bag, new: Bag) -> Bag:
        kind = self._type(request.type)
        key = kind.name if kind else "name"
        return {**new, key: request.auto_name(new.get(key) or old.get(key))} if key else new

    def diff(
        self, request: Request, old: Bag, new: Bag, state: Bag, paths: list[str]
    ) -> Difference:
        kind = self._type(request.type)
        if kind is None:
            return Difference()
        replaces = tuple(path for path in paths if kind.replaces(top(path)))
        name = str(new.get(kind.name))
        fixed = old.get(kind.name) == name and not request.is_auto_name(name)
        return Difference(replaces, delete_first=bool(replaces) and fixed)

    def create(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        kind, aws = self._type(request.type), self._aws(inputs, request)
        if request.preview:
            if kind is not None and not has_unknown(inputs):
                rehearse(kind, {**inputs, "region": aws.region})
            return "", inputs
        if kind is None:
            return self._record(request, inputs, aws.region)
        made = call(kind, kind.create, aws, {**inputs, "region": aws.region})
        facts = made if isinstance(made, dict) else {}
        id_ = kind.id.format_map(Blank({**inputs, **facts}))
        self._held.put(held_key(request, id_), {"_type": request.type})
        bag = bag_of(inputs, properties(facts), id_, aws)
        try:
            if kind.after is not None:
                kind.after(aws, bag, None)
        except Refused:  # the engine will not know of it, so it must not stay
            self.delete(request, inputs, bag)
            raise
        live = look(kind, bag, aws) or {}
        return id_, self._told(request, kind, inputs, bag, live)[1]

    def read(self, request: Request, inputs: Bag, state: Bag) -> tuple[Bag, Bag] | None:
        kind, aws = self._type(request.type), self._aws(inputs or state, request)
        if kind is None:
            page = self._notebook.get(request.id)
            return None if page is None else (inputs, {**state, **without_type(page)})
        bag = bag_of(inputs, state, request.id, aws)
        live = look(kind, bag, aws)
        if live is None:  # somebody else's hand
            self._held.put(held_key(request, request.id), None)
        return None if live is None else self._told(request, kind, inputs, bag, live)

    def update(self, request: Request, old: Bag, new: Bag, state: Bag) -> Bag:
        kind, aws = self._type(request.type), self._aws(new, request)
        kept = {key: value for key, value in state.items() if key not in old}
        changed = {top(path) for path, _ in differences(old, new)}
        if request.preview:
            anew = kind.anew if kind and changed - {"tags"} else ()
            return {**kept, **new, **dict.fromkeys(anew, UNKNOWN)}
        if kind is None:
            self._notebook.put(request.id, {**new, "_type": request.type})
            return {**kept, **new}
        bag = bag_of(new, kept, request.id, aws)
        shaped = kind.fix(bag) if kind.fix and changed & set(kind.in_place) else {}
        moved = {*(changed & set(new)), *(key for key, value in shaped.items() if value)}
        for operation in kind.update:
            if any(kind.takes(operation, key) for key in moved):
                call(kind, operation, aws, bag)
        removed = sorted(tag_keys(old) - tag_keys(new))
        tagging = next((op for op in kind.update if op.startswith(("tag_", "add_tags"))), None)
        if removed and tagging:
            untag = tagging.replace("tag_", "untag_", 1).replace("add_tags", "remove_tags")
            call(kind, untag, aws, {**bag, "tagKeys": removed})
        if kind.after is not None:
            kind.after(aws, bag, old)
        return self._told(request, kind, new, bag, look(kind, bag, aws) or {})[1]

    def delete(self, request: Request, old: Bag, state: Bag) -> None:
        kind, aws = self._type(request.type), self._aws(old or state, request)
        if kind is None:
            self._notebook.put(request.id, None)
            return
        bag = bag_of(old, state, request.id or state["id"], aws)
        for step in (kind.before_delete, kind.delete and partial(call, kind, kind.delete)):
            if step:
                with suppress(Gone):
                    step(aws, bag)
        self._held.put(held_key(request, bag["id"]), None)

    def invoke(self, token: str, arguments: Bag, config: Bag) -> Bag:
        region = str(arguments.get("region") or config.get("region") or "us-east-1")
        match token.rsplit(":", maxsplit=1)[-1]:
            case "getCallerIdentity":
                who = Aws(region).sts.get_caller_identity()
                told = {"accountId": who["Account"], "arn": who["Arn"], "userId": who["UserId"]}
                return {**told, "id": who["Account"]}
            case "getRegion":
                return {"name": region, "region": region, "id": region, "description": region}
            case "getPartition":
                told = {"partition": "aws", "dnsSuffix": "amazonaws.com"}
                return {**told, "id": "aws", "reverseDnsPrefix": "com.amazonaws"}
            case "getAvailabilityZones":
                zones = Aws(region).ec2.describe_availability_zones()["AvailabilityZones"]
                told = {key: [zone[member] for zone in zones] for key, member in ZONE.items()}
                return {**told, "id": region, "region": region}
        return super().invoke(token, arguments, config)

    def _type(self, token: str) -> Type | None:
        if token not in self._types and token not in self._recorded:
            raise Refused(f"the sandbox does not know {token}; add it to sandbox/aws_types.py")
        return self._types.get(token)

    def _aws(self, inputs: Bag, request: Request) -> Aws:
        region = inputs.get("region") or request.config.get("region") or "us-east-1"
        return Aws(str(region), self._clusters)

    def _record(self, request: Request, inputs: Bag, region: str) -> tuple[str, Bag]:
        kind = request.type.split(":")[-1]
        request.warn(f"recorded only: the emulated AWS has no {kind}")
        id_ = f"{request.name}-{region}-{secrets.token_hex(4)}"
        self._notebook.put(id_, {**inputs, "_type": request.type})
        return id_, {**inputs, "arn": f"arn:aws:sandbox:{region}:{ACCOUNT}:{kind.lower()}/{id_}"}

    def _told(
        self, request: Request, kind: Type, inputs: Bag, bag: Bag, live: Bag
    ) -> tuple[Bag, Bag]:
        """(inputs, outputs) as AWS tells them; warns of inputs that get lost without our knowing."""
        unseen: list[str] = []
        seen = reflect(inputs, live, kind.names, unseen)
        known = self._dropped.get(kind.token, {})
        for path in sorted(set(unseen) - {"region", *known}):
            key = top(path)
            if kind.takes(kind.read, key):  # it was found by this
                continue
            how = NOT_REPORTED if kind.sends(key) else NOT_SENT
            request.warn(f"{kind.token.split(':')[-1]}.{path} is {how} by the emulated AWS")
        outputs = {**properties(live), **seen, "id": bag["id"]}
        for key in kind.outputs:
            told, sent = live.get(key), seen.get(key)
            outputs[key] = {**told, **sent} if isinstance(sent, dict) and told else told
        tags = seen.get("tags")
        tags_all = tags if isinstance(tags, dict) else {}
        return seen, {**outputs, "region": bag["region"], "tagsAll": tags_all}


def request_of(kind: Type, operation: str, bag: Bag) -> tuple[str, Bag, str | None]:
    """(operation, its request, JMESPath of the object) for what is known about a resource."""
    match = OPERATION.fullmatch(operation)
    assert match is not None, operation
    name, only, path = match.groups()
    fixed = kind.fix(bag) if kind.fix else {}
    bag = {**fixed, **{key: value for key, value in bag.items() if key not in fixed}}
    bag = {key: value for key, value in bag.items() if not only or key in only.split(",")}
    shape = model(kind.service, name)
    return name, arguments(shape, bag, {**NOWHERE, **kind.names}) if shape else {}, path


def call(kind: Type, operation: str, aws: Aws, bag: Bag) -> Any:
    name, request, path = request_of(kind, operation, bag)
    answer = getattr(Service(kind.service, aws.region), name)(**request)
    text = Blank({key: value for key, value in bag.items() if isinstance(value, str)})
    return jmespath.search(path.format_map(text), answer) if path else answer


def rehearse(kind: Type, bag: Bag) -> None:
    """Raise Refused where AWS' own model of the request does not allow these inputs."""
    name, request, _ = request_of(kind, kind.create, bag)
    shape = model(kind.service, name)
    report = ParamValidator().validate(request, shape) if shape else None
    if report is not None and report.has_errors():
        raise Refused(f"{kind.service}:{name}: {report.generate_report()}")


def look(kind: Type, bag: Bag, aws: Aws) -> Bag | None:
    """The live object as AWS tells it."""
    try:
        live = call(kind, kind.read, aws, bag)
        if live and kind.see:
            live = {**live, **kind.see(live, aws, bag)}
    except Gone:
        return None
    return live if live and live.get("status") != "DELETED" else None


def bag_of(inputs: Bag, state: Bag, id_: str, aws: Aws) -> Bag:
    """All that is known about a resource: its inputs go before what was told of it."""
    rest = {key: value for key, value in state.items() if key not in inputs}
    return {**inputs, **rest, "id": id_, "region": aws.region}


def held_key(request: Request, id_: str) -> str:
    """Of one object: a replacement has its predecessor's URN, and ids are unique in a type only."""
    return f"{request.urn} {id_}"


def tag_keys(inputs: Bag) -> set[str]:
    tags = inputs.get("tags")
    return set(tags) if isinstance(tags, dict) else set()


def without_type(page: Bag) -> Bag:
    return {key: value for key, value in page.items() if key != "_type"}

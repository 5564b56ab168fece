"""The gRPC surface that the Pulumi engine speaks, on plain dictionaries.

A cloud answers `check`, `diff`, `create`, `read`, `update`, `delete` and `invoke` with Pulumi's own
camelCase names; this file does the protocol (pulumi/sdk proto, provider.proto).
"""

from __future__ import annotations

import functools
import hashlib
import sys
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as messages

Bag = dict[str, Any]
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine spells a value that is not known before the update."""
MESSAGE_LIMIT_BYTES = 400 << 20


class Refused(Exception):
    """The cloud, or the sandbox, said no; the text is shown beside the resource."""


@dataclass(frozen=True)
class Request:
    """One resource in one provider instance."""

    urn: str
    type: str
    name: str
    id: str
    seed: bytes
    config: Bag
    """Of the provider instance."""
    preview: bool = False
    warn: Callable[[str], object] = print
    """Shows a warning beside the resource; each text once in an update."""

    def auto_name(self, given: str | None) -> str:
        """The name an object already has, else `<logical name>-<7 hex digits>` as the real providers do."""
        return (
            given or f"{self.name}-{hashlib.sha256(self.seed or self.urn.encode()).hexdigest()[:7]}"
        )

    def is_auto_name(self, given: str) -> bool:
        return given.startswith(f"{self.name}-") and len(given) == len(self.name) + 8


@dataclass(frozen=True)
class Difference:
    """What an update means: the paths that force a new object, or nothing at all."""

    replaces: tuple[str, ...] = ()
    nothing: bool = False
    delete_first: bool = False


def plain(struct: struct_pb2.Struct) -> Bag:
    """Struct to dict; Struct knows only doubles, so whole numbers become ints again."""
    found: Bag = whole(json_format.MessageToDict(struct))
    return found


def whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [whole(item) for item in value]
        case dict():
            return {key: whole(item) for key, item in value.items()}
    return value


def packed(values: Bag) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(told(values))
    return struct


def told(value: Any) -> Any:
    """Dates and the like as text."""
    match value:
        case dict():
            return {str(key): told(item) for key, item in value.items()}
        case list() | tuple():
            return [told(item) for item in value]
        case str() | bool() | int() | float() | None:
            return value
    return str(value)


def has_unknown(value: Any) -> bool:
    match value:
        case dict():
            return any(map(has_unknown, value.values()))
        case list():
            return any(map(has_unknown, value))
    return bool(value == UNKNOWN)


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(property path, 'ADD' | 'DELETE' | 'UPDATE') of every leaf that is not equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            step = f'{path}["{key}"]' if "." in key or "/" in key else f"{path}.{key}".lstrip(".")
            if key in old and key in new:
                yield from differences(old[key], new[key], step)
            else:
                yield step, "DELETE" if key in old else "ADD"
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index < len(old) and index < len(new):
                yield from differences(old[index], new[index], f"{path}[{index}]")
            else:
                yield f"{path}[{index}]", "ADD" if index >= len(old) else "DELETE"
    elif old != new:
        yield path, "UPDATE"


def property_diff(kind: str, *, replaces: bool) -> messages.PropertyDiff:
    kinds = messages.PropertyDiff.Kind
    return messages.PropertyDiff(
        kind=kinds.Value(f"{kind}_REPLACE" if replaces else kind), inputDiff=True
    )


def top(path: str) -> str:
    """`scalingConfig.maxSize` -> `scalingConfig`."""
    return path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]


def ignored(path: str, ignore: list[str]) -> bool:
    """Is this path, or one it lies in, among `ignore_changes`?"""
    return any(path == entry or path.startswith((f"{entry}.", f"{entry}[")) for entry in ignore)


class Cloud:
    """What a package has to answer; `olds` and `state` are what the engine remembers."""

    package = ""

    def check(self, request: Request, old: Bag, new: Bag) -> Bag:
        """Inputs with defaults, or Refused."""
        return new

    def diff(
        self, request: Request, old: Bag, new: Bag, state: Bag, paths: list[str]
    ) -> Difference:
        raise NotImplementedError

    def create(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        raise NotImplementedError

    def read(self, request: Request, inputs: Bag, state: Bag) -> tuple[Bag, Bag] | None:
        raise NotImplementedError

    def update(self, request: Request, old: Bag, new: Bag, state: Bag) -> Bag:
        raise NotImplementedError

    def delete(self, request: Request, old: Bag, state: Bag) -> None:
        raise NotImplementedError

    def invoke(self, token: str, arguments: Bag, config: Bag) -> Bag:
        raise Refused(f"the sandbox does not answer {token}")


def answers(method: Any) -> Any:
    """Turn an exception into the gRPC error that the engine prints."""

    @functools.wraps(method)
    def wrapped(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except Refused as refusal:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(refusal))
        except Exception as fault:  # noqa: BLE001  # ours: the engine shows it, the log keeps it
            where = f"{method.__name__} {getattr(request, 'urn', '')}"
            print(
                f"sandbox fault in {where}\n{traceback.format_exc()}", file=sys.stderr, flush=True
            )
            context.abort(
                grpc.StatusCode.INTERNAL, f"sandbox fault: {type(fault).__name__}: {fault}"
            )

    return wrapped


class Instance:
    """One provider instance of one engine: its settings, and where its warnings go."""

    def __init__(self) -> None:
        self.config: Bag = {}
        self._engine: engine_pb2_grpc.EngineStub | None = None
        self._said: set[str] = set()

    def attach(self, address: str) -> None:
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def warn(self, urn: str, text: str) -> None:
        if self._engine is not None and text not in self._said:
            self._said.add(text)
            level = engine_pb2.WARNING
            self._engine.Log(engine_pb2.LogRequest(severity=level, message=text, urn=urn))


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One package for all its provider instances.

    A request does not say which instance it is for, but each has a connection of its own.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        # The one it stands in for, else the engine warns; the mark says that it is not the real one.
        self._version = f"{metadata.version(f'pulumi-{cloud.package}')}+sandbox"
        self._instances: defaultdict[str, Instance] = defaultdict(Instance)

    def _request(self, request: Any, context: Any) -> Request:
        instance = self._instances[context.peer()]
        return Request(
            request.urn,
            request.type,
            request.name,
            getattr(request, "id", ""),
            getattr(request, "randomSeed", b""),
            instance.config,
            getattr(request, "preview", False),
            functools.partial(instance.warn, request.urn),
        )

    def Attach(self, request: Any, context: Any) -> Any:
        self._instances[context.peer()].attach(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._version)

    def GetSchema(self, request: Any, context: Any) -> Any:
        return messages.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return messages.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        changed = plain(request.old_inputs) != plain(request.news)
        kinds = messages.DiffResponse
        return messages.DiffResponse(changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        self._instances[context.peer()].config = plain(request.args)
        return messages.ConfigureResponse(supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    @answers
    def Invoke(self, request: Any, context: Any) -> Any:
        config = self._instances[context.peer()].config
        answer = self._cloud.invoke(request.tok, plain(request.args), config)
        return messages.InvokeResponse(**{"return": packed(answer)})

    @answers
    def Check(self, request: Any, context: Any) -> Any:
        new = self._cloud.check(
            self._request(request, context), plain(request.olds), plain(request.news)
        )
        return messages.CheckResponse(inputs=packed(new))

    @answers
    def Diff(self, request: Any, context: Any) -> Any:
        old, new, state = plain(request.old_inputs), plain(request.news), plain(request.olds)
        ignore = list(request.ignoreChanges)
        paths = {path: kind for path, kind in differences(old, new) if not ignored(path, ignore)}
        found = Difference(nothing=True)
        if paths:
            found = self._cloud.diff(self._request(request, context), old, new, state, list(paths))
        if found.nothing:
            return messages.DiffResponse(changes=messages.DiffResponse.DIFF_NONE)
        return messages.DiffResponse(
            changes=messages.DiffResponse.DIFF_SOME,
            diffs=sorted({top(path) for path in paths}),
            detailedDiff={
                path: property_diff(kind, replaces=path in found.replaces)
                for path, kind in paths.items()
            },
            hasDetailedDiff=True,
            replaces=sorted({top(path) for path in found.replaces}),
            deleteBeforeReplace=found.delete_first,
        )

    @answers
    def Create(self, request: Any, context: Any) -> Any:
        id_, outputs = self._cloud.create(
            self._request(request, context), plain(request.properties)
        )
        return messages.CreateResponse(id=id_, properties=packed(outputs))

    @answers
    def Read(self, request: Any, context: Any) -> Any:
        found = self._cloud.read(
            self._request(request, context), plain(request.inputs), plain(request.properties)
        )
        if found is None:  # an empty id says that the object is gone
            return messages.ReadResponse()
        inputs, outputs = found
        return messages.ReadResponse(
            id=request.id, inputs=packed(inputs), properties=packed(outputs)
        )

    @answers
    def Update(self, request: Any, context: Any) -> Any:
        old, new, state = plain(request.old_inputs), plain(request.news), plain(request.olds)
        outputs = self._cloud.update(self._request(request, context), old, new, state)
        return messages.UpdateResponse(properties=packed(outputs))

    @answers
    def Delete(self, request: Any, context: Any) -> Any:
        self._cloud.delete(
            self._request(request, context), plain(request.old_inputs), plain(request.properties)
        )
        return empty_pb2.Empty()


SERVERS: list[grpc.Server] = []
"""A server ends when nobody holds it."""


def serve(cloud: Cloud, pool: futures.ThreadPoolExecutor) -> int:
    """Serve one cloud until the process ends; returns its port on the loopback."""
    server = grpc.server(pool, options=[("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(cloud), server)
    port: int = server.add_insecure_port("127.0.0.1:0")
    server.start()
    SERVERS.append(server)
    return port

"""A small Python language host for the Pulumi engine, for machines without the official one.

The engine starts `pulumi-language-python [flags] ENGINE_ADDRESS`, reads a port from the first line
of standard output, and asks over gRPC (language.proto of the Pulumi SDK) to run programs and
plugins such as policy packs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2


def skip_the_sdk() -> None:
    """Let the protocol be imported alone: the SDK around it costs each preview half a second."""
    for name in ("pulumi", "pulumi.runtime"):
        found = importlib.util.find_spec(name)
        assert found is not None
        package = types.ModuleType(name)
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules[name] = package


skip_the_sdk()
from pulumi.runtime.proto import language_pb2 as messages  # noqa: E402
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2  # noqa: E402

HERE = Path(__file__).resolve().parent
VERSION = "0.1.0"
ALREADY_TOLD = 32  # exit status of program.py when the user has seen why
MESSAGE_LIMIT_BYTES = 400 << 20
PARENT_CHECK_SECONDS = 0.5
GRACE_SECONDS = 2.0


class Unready(Exception):
    """What the user has to do before a program can start, in one line."""


def interpreter(info: messages.ProgramInfo) -> Path:
    """The Python of `runtime.options.virtualenv`, relative to Pulumi.yaml or PulumiPolicy.yaml.

    Without that option PULUMI_PYTHON_CMD, and else the Python that runs this host.
    Raises Unready where it is missing.
    """
    folder = dict(info.options).get("virtualenv")
    if not folder:
        return Path(os.environ.get("PULUMI_PYTHON_CMD") or sys.executable)
    python = Path(info.root_directory, folder, "bin", "python")
    if not python.exists():
        raise Unready(f"there is no Python at {python}; run `make setup`")
    return python


def activated(python: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment of a program in its virtual environment, whose tools are found first."""
    if not (python.parent.parent / "pyvenv.cfg").exists():
        return environment
    path = os.pathsep.join([str(python.parent), environment.get("PATH", os.defpath)])
    return {**environment, "VIRTUAL_ENV": str(python.parent.parent), "PATH": path}


class Children:
    """The processes that this host started; they end with it."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(
        self, context: grpc.ServicerContext, command: list[str], **options: Any
    ) -> subprocess.Popen[bytes]:
        try:
            child = subprocess.Popen(command, **options)
        except OSError as error:  # such as a configuration too long for an environment
            raise Unready(f"cannot start {command[0]}: {error.strerror}") from error
        self._running.add(child)
        if not context.add_callback(child.terminate):  # the engine hung up, or has already
            child.terminate()
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        status = child.wait()
        self._running.discard(child)
        return status

    def end(self) -> None:
        """Ask each to end, and see to it."""
        children = list(self._running)
        for child in children:
            child.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for child in children:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs (`Run`) and plugins such as policy packs (`RunPlugin`)."""

    def __init__(self, engine: str, children: Children) -> None:
        self._engine = engine
        self._children = children

    def Handshake(self, request: Any, context: Any) -> Any:
        return messages.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def About(self, request: Any, context: Any) -> Any:
        python = ready(request.info, context)
        version = asked(python, "-c", "import platform; print(platform.python_version())")
        return messages.AboutResponse(executable=str(python), version=version.strip())

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        # None: the engine then loads each provider when a resource asks for it.
        return messages.GetRequiredPackagesResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        only_direct = () if request.transitiveDependencies else ("--not-required",)
        python = ready(request.info, context)
        listed = json.loads(asked(python, "-m", "pip", "list", "--format=json", *only_direct))
        return messages.GetProgramDependenciesResponse(
            dependencies=[messages.DependencyInfo(**package) for package in listed]
        )

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        """`pulumi install`: `make setup` has made the virtual environment, so only look."""
        ready(request.info, context)
        yield messages.InstallDependenciesResponse()

    def Run(self, request: Any, context: Any) -> Any:
        settings = {
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "monitor": request.monitor_address,
            "engine": self._engine,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "root_directory": request.info.root_directory,
        }
        config = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        folder = request.info.program_directory
        program = os.path.normpath(Path(folder, request.info.entry_point))
        runner = str(HERE / "program.py")
        try:
            python = interpreter(request.info)
            child = self._children.start(
                context,
                [str(python), "-u", "-P", runner, json.dumps(settings), program, *request.args],
                cwd=request.pwd or folder,
                env=activated(python, {**os.environ, **config}),
            )
        except Unready as unready:
            return messages.RunResponse(error=str(unready))
        status = self._children.wait(child)
        if status == ALREADY_TOLD:
            return messages.RunResponse(bail=True)
        told = f"Program exited with non-zero exit code: {status}"
        return messages.RunResponse(error=told if status else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        python, folder = ready(request.info, context), request.info.program_directory
        command = [folder, *request.args]
        if request.kind == "analyzer":
            command = ["-m", "pulumi.policy", *request.args[:1], folder]
        given = dict(pair.split("=", 1) for pair in request.env)
        child = self._children.start(
            context,
            [str(python), "-u", *command],
            cwd=request.pwd or None,
            env=activated(python, given or dict(os.environ)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name, block in outputs(child):
            if name == "stdout":
                yield messages.RunPluginResponse(stdout=block)
            else:
                yield messages.RunPluginResponse(stderr=block)
        yield messages.RunPluginResponse(exitcode=self._children.wait(child))

    def Cancel(self, request: Any, context: Any) -> Any:
        self._children.end()
        return empty_pb2.Empty()


def ready(info: messages.ProgramInfo, context: grpc.ServicerContext) -> Path:
    """The interpreter, or the end of the call with what to do."""
    try:
        return interpreter(info)
    except Unready as unready:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(unready))
        raise  # abort raises; this says so to the type checker


def asked(python: Path, *arguments: str) -> str:
    return subprocess.run(
        [python, *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def outputs(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """('stdout' | 'stderr', bytes) as they come, until both are closed."""
    blocks: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def pump(pipe: Any, name: str) -> None:
        for block in iter(lambda: pipe.read1(1 << 16), b""):
            blocks.put((name, block))
        blocks.put((name, b""))

    for name in ("stdout", "stderr"):
        threading.Thread(target=pump, args=(getattr(child, name), name), daemon=True).start()
    still_open = 2
    while still_open:
        name, block = blocks.get()
        if block:
            yield name, block
        else:
            still_open -= 1


def main() -> None:
    engine = os.getppid()
    address = next((word for word in reversed(sys.argv[1:]) if not word.startswith("-")), "")
    children = Children()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # the engine tells the story, we end quietly
        signal.signal(number, lambda *_: ended.set())
    server = grpc.server(
        futures.ThreadPoolExecutor(16),
        options=[("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(address, children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    # An engine that was killed outright cannot say goodbye: look for it.
    while os.getppid() == engine and not ended.wait(PARENT_CHECK_SECONDS):
        pass
    children.end()
    os._exit(0)


if __name__ == "__main__":
    main()

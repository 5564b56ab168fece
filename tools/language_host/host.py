"""A small Python language host for the Pulumi engine, for machines without the official one.

The engine starts `pulumi-language-python [flags] ENGINE_ADDRESS`, reads a port from the first line of standard output,
and asks over gRPC (pulumi/sdk proto, language.proto) to run programs and policy packs.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2 as messages
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

HERE = Path(__file__).resolve().parent
VERSION = "0.1.0"
ALREADY_TOLD = 32  # exit status of program.py when the user has seen why
MESSAGE_LIMIT_BYTES = 400 << 20
PARENT_CHECK_SECONDS = 0.5
ENGINE_ADDRESS = next((word for word in reversed(sys.argv[1:]) if not word.startswith("-")), "")


def interpreter(info: Any) -> str:
    """The Python of `runtime.options.virtualenv`, relative to the folder of Pulumi.yaml or PulumiPolicy.yaml."""
    folder = dict(info.options).get("virtualenv")
    if folder:
        return str(Path(info.root_directory, folder, "bin", "python"))
    return os.environ.get("PULUMI_PYTHON_CMD") or sys.executable


class Children:
    """The processes this host started; they end with it."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(self, context: grpc.ServicerContext, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(command, **options)
        self._running.add(child)
        context.add_callback(lambda: end(child))  # the engine hung up
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        status = child.wait()
        self._running.discard(child)
        return status

    def end_all(self) -> None:
        for child in list(self._running):
            end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs (`Run`) and plugins such as policy packs (`RunPlugin`)."""

    def __init__(self, children: Children) -> None:
        self._children = children

    def Handshake(self, request: Any, context: Any) -> Any:
        return messages.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def About(self, request: Any, context: Any) -> Any:
        return messages.AboutResponse(executable=interpreter(request.info), version=sys.version.split()[0])

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        # None: the engine then loads each provider when a resource asks for it.
        return messages.GetRequiredPackagesResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return messages.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        """`pulumi install`: the virtual environment is made by `make setup`, so only look."""
        python = interpreter(request.info)
        if not Path(python).exists():
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no Python at {python}; run `make setup`")
        yield messages.InstallDependenciesResponse()

    def Run(self, request: Any, context: Any) -> Any:
        settings = {
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "monitor": request.monitor_address,
            "engine": ENGINE_ADDRESS,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "root_directory": request.info.root_directory,
        }
        program = os.path.join(request.info.program_directory, request.info.entry_point)
        python = interpreter(request.info)
        if not Path(python).exists():
            return messages.RunResponse(error=f"no Python at {python}; run `make setup`")
        child = self._children.start(
            context,
            [python, "-u", str(HERE / "program.py"), json.dumps(settings), program, *request.args],
            cwd=request.pwd or request.info.program_directory,
            env={
                **os.environ,
                "PULUMI_CONFIG": json.dumps(dict(request.config)),
                "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            },
        )
        status = self._children.wait(child)
        if status == ALREADY_TOLD:
            return messages.RunResponse(bail=True)
        return messages.RunResponse(error=f"the program ended with status {status}" if status else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        python, folder = interpreter(request.info), request.info.program_directory
        module = ["-m", "pulumi.policy", *request.args[:1], folder] if request.kind == "analyzer" else [folder, *request.args]
        child = self._children.start(
            context,
            [python, "-u", *module],
            cwd=request.pwd or None,
            env=dict(pair.split("=", 1) for pair in request.env) or None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name, block in outputs(child):
            yield messages.RunPluginResponse(**{name: block})
        yield messages.RunPluginResponse(exitcode=self._children.wait(child))

    def Cancel(self, request: Any, context: Any) -> Any:
        self._children.end_all()
        return empty_pb2.Empty()


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
    children = Children()

    def leave(*_: Any) -> None:
        # Ctrl-C reaches the whole process group: the engine tells the story, we end quietly.
        children.end_all()
        os._exit(0)

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
    server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES)])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    engine = os.getppid()
    while os.getppid() == engine:  # an engine that was killed outright cannot say goodbye
        time.sleep(PARENT_CHECK_SECONDS)
    leave()


if __name__ == "__main__":
    main()

"""Where the engine and the Kubernetes binaries are on this machine.

Looks only, and needs nothing but the standard library; `setup.py` is what makes them.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

PULUMI_VERSION = "3.259.0"
KUBERNETES_VERSION = "1.34.2"
KUBERNETES_BINARIES = ("etcd", "kube-apiserver")
TOOLS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Tools:
    """What was found; None where something is missing."""

    pulumi: Path | None
    """The engine's binary."""
    language_host_dir: Path | None
    """Goes first on PATH where the official `pulumi-language-python` is absent, else None."""
    kubernetes_binaries: Path | None
    """The folder of etcd and kube-apiserver."""


def cache() -> Path:
    """Outside the checkout, shared by all checkouts of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairweather"


def engine_folder() -> Path:
    return cache() / f"pulumi-{PULUMI_VERSION}" / "bin"


def kubernetes_folder() -> Path:
    return cache() / f"kubernetes-{KUBERNETES_VERSION}" / "bin"


def lacking(folder: Path) -> list[str]:
    """The Kubernetes binaries that are not in a folder."""
    return [name for name in KUBERNETES_BINARIES if not os.access(folder / name, os.X_OK)]


def locate() -> Tools:
    """The user's own tools first, then what setup.py made."""
    pulumi = shutil.which("pulumi") or shutil.which("pulumi", path=str(engine_folder()))
    kubernetes = Path(os.environ.get("KUBEBUILDER_ASSETS") or kubernetes_folder())
    return Tools(
        pulumi=Path(pulumi) if pulumi else None,
        language_host_dir=None
        if pulumi and official_host(Path(pulumi))
        else TOOLS / "language_host",
        kubernetes_binaries=None if lacking(kubernetes) else kubernetes,
    )


def official_host(pulumi: Path) -> bool:
    """Whether the engine finds a Python language host without ours: beside itself or on PATH."""
    beside = pulumi.resolve().with_name("pulumi-language-python")
    return beside.exists() or shutil.which("pulumi-language-python") is not None

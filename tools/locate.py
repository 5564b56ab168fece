"""Where the engine and the Kubernetes binaries are on this machine. Looks, and never installs: that is setup.py's."""

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
    language_host_dir: Path | None
    """Goes first on PATH where the official `pulumi-language-python` is absent."""
    kubernetes_binaries: Path | None
    """The folder of etcd and kube-apiserver."""


def cache() -> Path:
    """Outside the checkout, shared by all checkouts."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairweather"


def engine_folder() -> Path:
    return cache() / f"pulumi-{PULUMI_VERSION}" / "bin"


def kubernetes_folder() -> Path:
    return cache() / f"kubernetes-{KUBERNETES_VERSION}" / "bin"


def locate() -> Tools:
    """The user's own tools first, then what setup.py made."""
    found = shutil.which("pulumi")
    cached = engine_folder() / "pulumi"
    pulumi = Path(found) if found else cached if cached.exists() else None
    official = shutil.which("pulumi-language-python") or (
        pulumi is not None and pulumi.resolve().with_name("pulumi-language-python").exists()
    )
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    folders = (Path(assets) if assets else None, kubernetes_folder())
    kubernetes = next((f for f in folders if f and all((f / b).exists() for b in KUBERNETES_BINARIES)), None)
    return Tools(pulumi, None if official else TOOLS / "language_host", kubernetes)

# ruff: noqa: ARG002 - the arguments are the protocol's
"""Providers that take everything: what is tried is stopped by the gate, and not because a cloud did not know it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sandbox.provider import UNKNOWN, Bag, Cloud, Difference, Request, serve

PACKAGES = ("aws", "gcp", "kubernetes", "aws-native", "command")
KNOWS = ("aws", "gcp", "kubernetes")


class Anything(Cloud):
    """Creates whatever it is asked for; `becomes` is what its `arn` turns out to be."""

    def __init__(self, package: str) -> None:
        self.package = package

    def create(self, request: Request, inputs: Bag) -> tuple[str, Bag]:
        arn = UNKNOWN if request.preview else inputs.get("becomes", f"arn:{request.name}")
        return "" if request.preview else request.name, {**inputs, "arn": arn}

    def diff(
        self, request: Request, old: Bag, new: Bag, state: Bag, paths: list[str]
    ) -> Difference:
        return Difference()

    def update(self, request: Request, old: Bag, new: Bag, state: Bag) -> Bag:
        return {**new, "arn": state.get("arn")}

    def delete(self, request: Request, old: Bag, state: Bag) -> None:
        """Nothing was made."""


def providers() -> str:
    """Serve them until the process ends; where they are, as PULUMI_DEBUG_PROVIDERS takes it."""
    pool = ThreadPoolExecutor(16)
    clouds = ((name, Anything(name if name in KNOWS else "aws")) for name in PACKAGES)
    return ",".join(f"{name}:{serve(cloud, pool)}" for name, cloud in clouds)

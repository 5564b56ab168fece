"""Pulumi's SDK reads a resource anew for each policy, and a stack as often: with many rules that is most of the time.

Here what one call of the engine brings is read once. The names that are replaced are private to `pulumi_policy`; where
a version has them no longer, the pack is as slow as it was and nothing else changes. tests/policypacks/test_reading.py
holds the answers to be the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pulumi_policy.policy

sdk: Any = pulumi_policy.policy
CALLS = ("Analyze", "AnalyzeStack")
STEPS = ("deserialize_properties", "unknown_checking_proxy")
"""From a message's content to what a policy is shown."""


class Once:
    """A function of one object that is called once for each object in a call of the engine."""

    def __init__(self, function: Callable[..., Any], current: threading.local) -> None:
        self.function, self.current = function, current

    def __call__(self, given: Any, *more: Any, **options: Any) -> Any:
        known = getattr(self.current, "known", None)
        if known is None or more or options:
            return self.function(given, *more, **options)
        key = (id(self), id(given))
        if key not in known:
            # What was given is kept beside its answer, so that nothing else can take its identity.
            known[key] = (given, self.function(given))
        return known[key][1]


def once() -> None:
    """Read each message once a call, from now on in this process."""
    servicer = getattr(sdk, "_PolicyAnalyzerServicer", None)
    reader: Any = getattr(sdk, "json_format", None)
    steps: dict[str, Any] = {name: getattr(sdk, name, None) for name in STEPS}
    if servicer is None or not all(steps.values()) or not hasattr(reader, "MessageToDict"):
        return
    current = threading.local()

    def whole(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Any, request: Any, context: Any) -> Any:
            current.known = {}
            try:
                return call(self, request, context)
            finally:
                current.known = None

        return run

    for name in CALLS:
        setattr(servicer, name, whole(getattr(servicer, name)))
    sdk.json_format = SimpleNamespace(MessageToDict=Once(reader.MessageToDict, current))
    for name, step in steps.items():
        setattr(sdk, name, Once(step, current))

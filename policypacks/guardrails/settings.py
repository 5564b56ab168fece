"""Strict reading of the pack's own YAML files: every problem is one line with file, line, key and remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml


class SettingsError(ValueError):
    """A file of the pack cannot be used."""


@dataclass(frozen=True)
class Node:
    """A value of a YAML file that knows where it stands."""

    file: str
    line: int
    path: str
    value: Any
    """A dictionary or list of nodes, or a scalar."""

    def wrong(self, problem: str) -> SettingsError:
        return SettingsError(f"{self.file}:{self.line}: {self.path or 'the file'}: {problem}")

    def fields(self, *required: str, optional: tuple[str, ...] = ()) -> dict[str, Node]:
        """A map with exactly these keys."""
        found = self.mapping()
        unknown = [key for key in found if key not in (*required, *optional)]
        if unknown:
            raise found[unknown[0]].wrong(
                f"is not a key here; use {', '.join((*required, *optional))}"
            )
        absent = [key for key in required if key not in found]
        if absent:
            raise self.wrong(f"lacks {', '.join(absent)}; add it")
        return found

    def mapping(self) -> dict[str, Node]:
        """A map with any keys."""
        if not isinstance(self.value, dict):
            raise self.wrong("should be a map of keys and values; write one")
        return self.value

    def list(self) -> list[Node]:
        if not isinstance(self.value, list):
            raise self.wrong("should be a list, such as [a, b]; write one")
        return self.value

    def words(self) -> tuple[str, ...]:
        return tuple(item.text() for item in self.list())

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong("should be text; write some")
        return self.value

    def number(self, least: float, most: float = math.inf) -> float:
        value = self.value
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not least <= value <= most
        ):
            bounds = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
            raise self.wrong(f"should be a number {bounds}, not {value!r}; correct it")
        return float(value)

    def one_of(self, *words: str) -> str:
        if self.value not in words:
            raise self.wrong(f"should be {' or '.join(words)}, not {self.value!r}; choose one")
        return str(self.value)

    def day(self) -> date:
        if type(self.value) is not date:  # a time of day is a date too
            raise self.wrong("should be a day such as 2026-12-31; correct it")
        return self.value


def read(file: Path) -> Node:
    """A YAML file as nodes. Raises SettingsError where it is not one document of plain YAML without repeated keys."""
    try:
        text = file.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise SettingsError(f"{file.name}: cannot be read: {error.strerror}; restore it") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise SettingsError(
            f"{file.name}:{line}: not YAML: {getattr(error, 'problem', error)}; correct it"
        ) from None
    if root is None:
        return Node(file.name, 1, "", {})
    return _node(root, file.name, "", yaml.SafeLoader(""))


def _node(found: yaml.Node, file: str, path: str, loader: yaml.SafeLoader) -> Node:
    line = found.start_mark.line + 1
    if isinstance(found, yaml.MappingNode):
        inside: dict[str, Node] = {}
        for key, value in found.value:
            name = str(key.value)
            below = f"{path}.{name}" if path else name
            if name in inside:
                raise SettingsError(
                    f"{file}:{key.start_mark.line + 1}: {below}: stands there twice; remove one"
                )
            inside[name] = _node(value, file, below, loader)
        return Node(file, line, path, inside)
    if isinstance(found, yaml.SequenceNode):
        items = [_node(item, file, f"{path}[{at}]", loader) for at, item in enumerate(found.value)]
        return Node(file, line, path, items)
    try:
        return Node(file, line, path, loader.construct_object(found, deep=True))
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{file}:{line}: {path}: {error}; correct it") from None


@dataclass(frozen=True)
class Tolerance:
    """How far apart two slices may be in one metric: a difference of rates, or a ratio of them."""

    max_difference: float | None = None
    min_ratio: float | None = None


@dataclass(frozen=True)
class Fairness:
    """What evidence must show."""

    confidence: float
    insufficient: str
    """`mandatory` or `advisory`: what too little data means."""
    tolerances: Mapping[str, Tolerance]
    sensitive: Mapping[str, Tolerance]
    """Instead of those above, for models of a sensitive domain."""
    attributes: Mapping[str, tuple[str, ...]]
    """Of which at least one must be compared, by modality of the model."""


@dataclass(frozen=True)
class Thresholds:
    """What the policy owners decided. Beside the pack, out of reach of who edits stack files."""

    required_tags: tuple[str, ...]
    undeclared_usd: float
    unpriced_machines: float
    team_budgets_usd: Mapping[str, float]
    """A month, for all apps of a team in one stack; a team that is not named has no limit of its own."""
    machines: Mapping[str, tuple[str, ...]]
    registries: tuple[str, ...]
    """Where images may come from, with wildcards."""
    charts: tuple[str, ...]
    """Helm charts that may be installed, `repository/chart`, with wildcards."""
    residency: Mapping[str, tuple[str, ...]]
    """Where data of a class may be, by the beginnings of places, and `cdn`; other classes may be anywhere."""
    gpus_default: float
    gpus_by_app: Mapping[str, float]
    gpus_portfolio: float
    fairness: Fairness
    explanation: Mapping[str, float]
    """min_faithfulness and min_stability, rank correlations from -1 to 1."""
    min_k: float
    """How many people have to be alike in what could single them out."""


def thresholds(file: Path) -> Thresholds:
    """The thresholds of the pack. Raises SettingsError."""
    root = read(file).fields(
        "tags", "budget", "machines", "registries", "charts", "residency", "gpus", "fairness", "explanation", "privacy",
    )  # fmt: skip
    tags = root["tags"].fields("required")
    budget = root["budget"].fields("undeclared_usd", "unpriced_machines", optional=("teams",))
    teams = budget["teams"].mapping() if "teams" in budget else {}
    gpus = root["gpus"].fields("app", "portfolio", optional=("apps",))
    explanation = root["explanation"].fields("min_faithfulness", "min_stability")
    apps = gpus["apps"].mapping() if "apps" in gpus else {}
    return Thresholds(
        required_tags=tags["required"].words(),
        undeclared_usd=budget["undeclared_usd"].number(0),
        unpriced_machines=budget["unpriced_machines"].number(0, 1),
        team_budgets_usd={team: node.number(0) for team, node in teams.items()},
        machines={
            cloud: node.words() for cloud, node in root["machines"].fields("aws", "gcp").items()
        },
        registries=root["registries"].words(),
        charts=root["charts"].words(),
        residency={kind: node.words() for kind, node in root["residency"].mapping().items()},
        gpus_default=gpus["app"].number(0),
        gpus_by_app={app: node.number(0) for app, node in apps.items()},
        gpus_portfolio=gpus["portfolio"].number(0),
        fairness=_fairness(root["fairness"]),
        explanation={key: node.number(-1, 1) for key, node in explanation.items()},
        min_k=root["privacy"].fields("min_k")["min_k"].number(2),
    )


def _fairness(node: Node) -> Fairness:
    found = node.fields(
        "confidence", "insufficient", "tolerances", "sensitive_tolerances", "attributes"
    )
    return Fairness(
        confidence=found["confidence"].number(0.5, 0.9999),
        insufficient=found["insufficient"].one_of("mandatory", "advisory"),
        tolerances={
            metric: _tolerance(item) for metric, item in found["tolerances"].mapping().items()
        },
        sensitive={
            metric: _tolerance(item)
            for metric, item in found["sensitive_tolerances"].mapping().items()
        },
        attributes={
            modality: item.words() for modality, item in found["attributes"].mapping().items()
        },
    )


def _tolerance(node: Node) -> Tolerance:
    found = node.fields(optional=("max_difference", "min_ratio"))
    if len(found) != 1:
        raise node.wrong("needs either max_difference or min_ratio; give one")
    if "min_ratio" in found:
        return Tolerance(min_ratio=found["min_ratio"].number(0, 1))
    return Tolerance(max_difference=found["max_difference"].number(0, 1))

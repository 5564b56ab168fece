"""One logical set of tags, in each cloud's words and by each cloud's rules.

AWS tags (docs.aws.amazon.com, "Tag naming limits"): key <= 128, value <= 256, letters, digits, space and `+ - = . _ : / @`.
Google labels (cloud.google.com, "Labels requirements"): <= 63 lower-case letters, digits, `_`, `-`; keys start with a letter.
Kubernetes labels (kubernetes.io, "Labels and selectors"): name and value <= 63, `[A-Za-z0-9._-]`, alphanumeric ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stacks.records import App, Portfolio

PREFIX = "fairweather.dev/"
SHARED = "shared"
LONGEST_LABEL = 63


@dataclass(frozen=True)
class Tags:
    """The logical set; keys are snake_case words such as `cost_center`."""

    logical: Mapping[str, str]

    @property
    def aws(self) -> dict[str, str]:
        """As they are, with characters AWS refuses replaced."""
        return {
            re.sub(r"[^\w\s+\-=.:/@]", "-", key)[:128]: re.sub(r"[^\w\s+\-=.:/@]", "-", value)[:256]
            for key, value in self.logical.items()
        }

    @property
    def gcp(self) -> dict[str, str]:
        """Lower case; whatever Google refuses becomes a dash."""
        return {
            re.sub(r"^[^a-z]+", "", google_word(key)) or "x": google_word(value) for key, value in self.logical.items()
        }

    @property
    def kubernetes(self) -> dict[str, str]:
        """`fairweather.dev/cost-center: cc-1042`."""
        return {PREFIX + kubernetes_word(key.replace("_", "-")): kubernetes_word(value) for key, value in self.logical.items()}

    def labels(self, name: str, component: str, version: str | None = None) -> dict[str, str]:
        """The recommended Kubernetes labels (kubernetes.io, "Recommended Labels") and our own."""
        recommended = {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": self.logical["portfolio"],
            "app.kubernetes.io/managed-by": "fairweather",
        }
        if version is not None:
            recommended["app.kubernetes.io/version"] = version
        return {**recommended, **self.kubernetes}


def google_word(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:LONGEST_LABEL]


def kubernetes_word(text: str) -> str:
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", re.sub(r"[^A-Za-z0-9._-]", "-", text)[:LONGEST_LABEL])


def shared_tags(portfolio: Portfolio) -> Tags:
    """Tags of what all apps share."""
    return Tags(
        {
            **portfolio.tags,
            "portfolio": portfolio.name,
            "environment": portfolio.environment,
            "app": SHARED,
            "owner": portfolio.owner,
            "cost_center": portfolio.cost_center,
        }
    )


def app_tags(portfolio: Portfolio, name: str, app: App) -> Tags:
    """Tags of what belongs to one app."""
    own = {"app": name, "owner": app.owner, "cost_center": app.cost_center}
    return Tags({**shared_tags(portfolio).logical, **app.tags, **own})

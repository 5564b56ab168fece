"""One logical set of tags, in each cloud's words and by each cloud's rules.

AWS tags (docs.aws.amazon.com, "Tag naming limits and requirements"): key <= 128, value <= 256,
letters, digits, space and `+ - = . _ : / @`; keys do not begin with `aws:`.
Google labels (cloud.google.com, "Requirements for labels"): <= 63 lower-case letters, digits, `_`
and `-`; keys begin with a letter.
Kubernetes labels (kubernetes.io, "Labels and Selectors"): name and value <= 63, `[A-Za-z0-9._-]`
with alphanumeric ends.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stacks.records import App, Portfolio

PREFIX = "fairweather.dev/"
SHARED = "shared"
"""The app of what no single app owns."""
IDENTITY = ("portfolio", "environment", "app", "owner", "cost_center")
"""The tags that say whose it is."""
LABEL_LENGTH, AWS_KEY_LENGTH, AWS_VALUE_LENGTH = 63, 128, 256


@dataclass(frozen=True)
class Tags:
    """The logical set; keys are snake_case words such as `cost_center`."""

    logical: Mapping[str, str]

    @property
    def aws(self) -> dict[str, str]:
        """As they are; what AWS refuses becomes a dash."""
        return {
            re.sub("^aws:", "aws-", aws_word(key), flags=re.IGNORECASE)[:AWS_KEY_LENGTH]: aws_word(
                value
            )[:AWS_VALUE_LENGTH]
            for key, value in self.logical.items()
        }

    @property
    def google(self) -> dict[str, str]:
        """In lower case; what Google refuses becomes a dash."""
        return {
            re.sub("^[^a-z]+", "", google_word(key)) or "x": google_word(value)
            for key, value in self.logical.items()
        }

    @property
    def kubernetes(self) -> dict[str, str]:
        """`fairweather.dev/cost-center: cc-1042`."""
        return {
            PREFIX + kubernetes_word(key.replace("_", "-")): kubernetes_word(value)
            for key, value in self.logical.items()
        }

    def labels(self, component: str, version: str | None = None) -> dict[str, str]:
        """The recommended Kubernetes labels (kubernetes.io, "Recommended Labels") and our own."""
        return {
            "app.kubernetes.io/name": self.logical["app"],
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": self.logical["portfolio"],
            "app.kubernetes.io/managed-by": "fairweather",
            **({"app.kubernetes.io/version": version} if version else {}),
            **self.kubernetes,
        }


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
    # An app's tags refine the portfolio's, and never say whose it is.
    who = {key: value for key, value in shared_tags(portfolio).logical.items() if key in IDENTITY}
    return Tags({**portfolio.tags, **app.tags, **who, **own})


def aws_word(text: str) -> str:
    return re.sub(r"[^\w\s+\-=.:/@]", "-", text)


def google_word(text: str) -> str:
    return re.sub("[^a-z0-9_-]", "-", text.lower())[:LABEL_LENGTH]


def kubernetes_word(text: str) -> str:
    """Cut to length first, so that the ends are alphanumeric after it."""
    cut = re.sub("[^A-Za-z0-9._-]", "-", text)[:LABEL_LENGTH]
    return re.sub("^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", cut)


def fitted(name: str, longest: int) -> str:
    """The name, or where it is too long its beginning and a digest, so that no two become one."""
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: longest - 7].rstrip('-')}-{digest}"

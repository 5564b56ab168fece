"""The table of types against the installed provider packages."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest
from pricing.kinds import KINDS

pytestmark = [
    pytest.mark.slow,
    # Importing a provider's folder imports its deprecated types too.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CLOUD_TYPES = sorted(kind for kind in KINDS if kind.startswith(("aws:", "gcp:")))


def arguments(kind):
    """The argument names of a type's class, by its token."""
    package, module, name = kind.split(":")
    folder, file = module.split("/")
    folder = {"lambda": "lambda_"}.get(folder, folder)
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", file).lower()
    found = getattr(importlib.import_module(f"pulumi_{package}.{folder}"), name)
    return set(inspect.signature(found._internal_init).parameters)


@pytest.mark.parametrize("kind", CLOUD_TYPES)
def test_a_type_carries_tags_where_the_table_says(kind):
    given, where = arguments(kind), KINDS[kind].labels
    top = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", where.split(".")[0]).lower()
    if where:
        assert top in given
    else:
        # `labels` of a notification channel or a metric are settings; here nothing of the kind may exist.
        assert not given & {"tags", "labels", "resource_labels", "user_labels"}

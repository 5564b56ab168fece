"""Errors that a user can mend, and how each becomes one line."""

from __future__ import annotations

MENDABLE = (
    "stacks.errors.ContractError",
    "forecasting.parallel.WorkersError",
    "forecasting.telemetry.demand.TelemetryError",
    "finops.billing.BillingError",
    "governance.tables.TableError",
    "governance.explaining.ExplainError",
    "governance.signing.SigningError",
    "forecasting.placement.tables.PlacementError",
    "finops.purchase_files.PurchaseError",
    "gitops.engine.EngineError",
    "gitops.git.GitError",
    "gitops.forge.ForgeError",
    "sandbox.lifecycle.SandboxError",
    "policypacks.guardrails.pricing.book.PriceBookError",
)
"""By name, so that telling an error does not import what the command did not need."""


class Refusal(Exception):
    """The command refuses or cannot go on; the text says where, what and what to do next."""


def in_one_line(error: Exception) -> str | None:
    """The text for the user, or None for a fault of our own, which deserves its traceback."""
    if any(name in MENDABLE for name in map(qualified, type(error).__mro__)):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None


def qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"

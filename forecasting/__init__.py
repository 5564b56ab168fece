"""Demand in, capacity out. The names below come when they are asked for: scikit-learn is slow."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecasting.capacity.hybrid import plan_capacity
    from forecasting.purchase.commitment import plan_commitment
    from forecasting.quantiles.forecaster import DemandForecaster
    from forecasting.spend.forecaster import SpendForecaster

__all__ = ["DemandForecaster", "SpendForecaster", "plan_capacity", "plan_commitment"]

_HOMES = {
    "DemandForecaster": "forecasting.quantiles.forecaster",
    "SpendForecaster": "forecasting.spend.forecaster",
    "plan_capacity": "forecasting.capacity.hybrid",
    "plan_commitment": "forecasting.purchase.commitment",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

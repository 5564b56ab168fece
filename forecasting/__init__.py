"""Demand in, capacity out. The names below come when they are asked for: scikit-learn is slow."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecasting.capacity.hybrid import plan_capacity
    from forecasting.quantiles.forecaster import DemandForecaster

__all__ = ["DemandForecaster", "plan_capacity"]

_HOMES = {
    "DemandForecaster": "forecasting.quantiles.forecaster",
    "plan_capacity": "forecasting.capacity.hybrid",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

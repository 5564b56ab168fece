"""Demand from where it is recorded; the room's door to the outside."""

from forecasting.telemetry.demand import Demand, Finding, TelemetryError
from forecasting.telemetry.reading import read

__all__ = ["Demand", "Finding", "TelemetryError", "read"]

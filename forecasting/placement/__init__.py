"""Where apps should run, and on what: least cost under the promises to users, the law and the budget."""

from forecasting.placement.costs import Price, prices
from forecasting.placement.problem import AppTerms, Choice, Problem, problem
from forecasting.placement.solve import Placed, Placement, place
from forecasting.placement.tables import PlacementError, read_network, read_users

__all__ = [
    "AppTerms",
    "Choice",
    "Placed",
    "Placement",
    "PlacementError",
    "Price",
    "Problem",
    "place",
    "prices",
    "problem",
    "read_network",
    "read_users",
]

"""The page of a placement: for each app a matrix of its users and the places they could be served from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitops import show
from gitops.commands.placement import NOT_MODELLED, change, dual
from gitops.pages.template import filled

if TYPE_CHECKING:
    from forecasting.placement import Placed, Placement, Price
    from forecasting.placement.options import Option


def page(stack: str, found: Placement, prices: Sequence[Price], diff: str) -> str:
    """The whole page as text; it opens offline."""
    return filled(
        "placement",
        stack=stack,
        found=found,
        matrices=[matrix(placed) for placed in found.apps],
        prices=prices,
        diff=diff,
        not_modelled=NOT_MODELLED,
        dollars=show.dollars,
        change=change,
        dual=dual,
    )


def matrix(placed: Placed) -> dict[str, Any]:
    """Areas down, places across: how far, within the SLO or not, and where served."""
    terms, then = placed.terms, placed.then
    places = tuple(dict.fromkeys(location for location, _ in terms.replica_usd))
    share = terms.typical_rps.sum(0) / terms.typical_rps.sum()
    now_at, then_at = served_at(placed.now), served_at(then)
    areas = [
        {
            "name": area,
            "share": f"{share[index]:.0%}",
            "cells": [
                {
                    "place": place,
                    "ms": f"{terms.network_ms[area, place]:.0f}",
                    "style": " ".join(
                        [
                            "near" if terms.network_ms[area, place] <= terms.network_p95_ms else "far",
                            *(["then"] if then_at[index] == place else []),
                            *(["now"] if now_at[index] == place else []),
                        ]
                    ),
                }
                for place in places
            ],
        }
        for index, area in enumerate(terms.areas)
    ]  # fmt: skip
    return {
        "app": terms.name,
        "now": str(placed.now.choice),
        "then": str(then.choice),
        "reason": placed.reason,
        "places": places,
        "areas": areas,
        "gpus": dict(zip(then.choice.locations, then.gpus, strict=True)),
        "limit": f"{terms.network_p95_ms:g}",
        "barred": ", ".join(place for place in places if place in terms.barred),
    }


def served_at(way: Option) -> dict[int, str]:
    """Where the users of each area, by index, are served."""
    return {
        area: place
        for place, areas in zip(way.choice.locations, way.served, strict=True)
        for area in areas
    }

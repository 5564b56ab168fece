"""Placement: the cheapest that keeps every promise, moving only for what is worth it; and what promises cost."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forecasting import placement
from forecasting.placement import Choice, PlacementError, latency
from forecasting.placement.model import program, relax, with_limit
from forecasting.placement.proposal import REASON, edits, first_capacity, proposed
from stacks import Stack, write_keys
from stacks.records import PlannerLimits, UserArea
from tests.forecasting.portfolios import (
    PLACES,
    app,
    broken,
    by_trying_everything,
    moving,
    nearest,
    portfolio,
    some_portfolio,
    usd,
)

EAST, WEST, CENTRAL = PLACES
SEEDS = st.integers(0, 100_000)


def ways(found: placement.Placement) -> dict[str, Choice]:
    return {placed.terms.name: placed.then.choice for placed in found.apps}


def price(found: placement.Placement, change: str, name: str = "") -> placement.Price:
    return next(p for p in placement.prices(found.program) if (p.app, p.change) == (name, change))


# The optimum


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_it_is_the_best_of_everything_that_could_be_tried(seed):
    problem = some_portfolio(seed)
    best = by_trying_everything(problem)
    found = placement.place(problem)
    assert bool(found.clashes) == (best == float("inf"))
    if not found.clashes:
        assert broken(problem, ways(found)) == []
        assert usd(problem, ways(found)) == pytest.approx(found.usd_then)
        assert found.usd_then + moving(problem, ways(found)) == pytest.approx(best)


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_where_promises_clash_what_is_broken_is_what_is_named(seed):
    problem = some_portfolio(seed)
    found = placement.place(problem)
    assume(found.clashes)
    named = {(clash.app or "all apps") for clash in found.clashes}
    counted = {part.split()[0] for part in broken(problem, ways(found))}
    assert {"all apps" if name in ("quota", "budget") else name for name in counted} == named


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_what_was_placed_stays(seed):
    problem = some_portfolio(seed)
    found = placement.place(problem)
    assume(not found.clashes)
    taken = ways(found)
    settled = replace(problem, apps=tuple(replace(t, now=taken[t.name]) for t in problem.apps))
    again = placement.place(settled)
    assert not again.moved
    assert again.usd_then == pytest.approx(found.usd_then)


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_the_order_of_apps_does_not_matter_and_the_same_again_is_the_same(seed):
    problem = some_portfolio(seed)
    found = placement.place(problem)
    assume(not found.clashes)
    again = placement.place(problem)
    assert (ways(again), again.usd_then) == (ways(found), found.usd_then)
    assert placement.prices(again.program) == placement.prices(found.program)
    turned = placement.place(replace(problem, apps=problem.apps[::-1]))
    assert turned.usd_then + moving(problem, ways(turned)) == pytest.approx(
        found.usd_then + moving(problem, ways(found))
    )


def test_two_small_apps_share_a_cluster_that_neither_is_worth_alone():
    far = {("us-east", place): 60.0 for place in PLACES[:2]}
    usd_month = {(EAST, "l4"): 100.0, (WEST, "l4"): 95.0}
    one, two = (
        app(name, network_ms=far, replica_usd=usd_month, now=Choice((place,), "l4"))
        for name, place in (("one", EAST), ("two", WEST))
    )
    found = placement.place(portfolio(one, two))
    assert ways(found) == dict.fromkeys(("one", "two"), Choice((WEST,), "l4"))
    assert found.usd_now - found.usd_then == pytest.approx(50 + 2 * 5)


def test_users_of_two_continents_ask_for_two_places_or_a_looser_slo():
    network = {
        ("us-east", EAST): 60.0, ("us-east", WEST): 160.0,
        ("eu-central", EAST): 160.0, ("eu-central", WEST): 60.0,
    }  # fmt: skip
    terms = app(
        areas=("us-east", "eu-central"), typical_rps=np.full((4, 2), 5.0), network_ms=network
    )
    found = placement.place(portfolio(terms))
    assert found.apps[0].then.choice.locations == (WEST, EAST)
    assert found.apps[0].reason == (
        "now 50% of its users are within 100 ms, 95% are promised; costs $150 more"
    )
    assert price(found, "50 ms looser", "camera").usd == 0
    looser = placement.place(portfolio(replace(terms, network_p95_ms=120.0)))
    assert price(looser, "50 ms looser", "camera").usd == -150


def test_a_faster_gpu_that_costs_less_for_the_work_is_taken():
    both = {(EAST, "l4"): 150.0, (EAST, "t4"): 100.0}
    terms = app(
        replica_usd=both, rps_per_replica={"t4": 5.0, "l4": 10.0}, now=Choice((EAST,), "t4")
    )
    assert placement.place(portfolio(terms)).apps[0].then.choice == Choice((EAST,), "l4")


def test_an_area_that_sleeps_while_another_wakes_needs_no_more_gpus_at_one_place():
    network = dict.fromkeys([(area, EAST) for area in ("us-east", "japan")], 60.0)
    turns = np.array([[30.0, 0.0], [0.0, 30.0]])
    terms = app(
        areas=("us-east", "japan"), typical_rps=turns, network_ms=network, replica_usd={(EAST, "l4"): 100.0}
    )  # fmt: skip
    assert placement.place(portfolio(terms)).apps[0].then.gpus == (3,)


# What holds a move back


@pytest.mark.parametrize(
    ("share", "least", "moves"),
    [(0.0, 0.0, True), (0.15, 0.0, True), (0.25, 0.0, False), (0.0, 50.0, False)],
)
def test_a_move_must_save_what_it_is_worth(share, least, moves):
    both = {(EAST, "l4"): 100.0, (CENTRAL, "l4"): 80.0}
    near = {("us-east", EAST): 60.0, ("us-east", CENTRAL): 70.0}
    limits = PlannerLimits(min_move_share=share, min_move_usd=least)
    found = placement.place(portfolio(app(replica_usd=both, network_ms=near), limits=limits))
    assert bool(found.moved) == moves
    if not moves:
        worth = max(share * 200, least)
        assert found.apps[0].reason == (
            f"stays: l4 at {CENTRAL} would save $40 a month, a move is worth ${worth:.0f}"
        )


def test_an_app_that_may_not_move_stays_for_any_saving():
    both = {(EAST, "l4"): 100.0, (CENTRAL, "l4"): 1.0}
    near = {("us-east", EAST): 60.0, ("us-east", CENTRAL): 70.0}
    terms = app(replica_usd=both, network_ms=near, stays="placement.moves is never")
    found = placement.place(portfolio(terms))
    assert (found.moved, found.apps[0].reason) == ((), "stays: placement.moves is never")
    assert price(found, "it may move", "camera").usd == -198


# Clashes


@pytest.mark.parametrize(
    ("terms", "given", "said"),
    [
        (app(), {"quotas": {(EAST, "l4"): 2}},
         "all apps: 1 x l4 above the 2 left at aws:us-east-1; "
         "ask the cloud for more, or give apps other candidates"),
        (app(budget_usd=150.0), {},
         "camera: $50 a month above its budget of $150; raise it, loosen the SLO, or add candidates"),
        (app(), {"budget_usd": 150.0},
         "all apps: $100 a month above the $150 left of the portfolio's budget; "
         "raise it, or loosen an SLO"),
        (app(network_p95_ms=50.0), {},
         "camera: 0% of its users within 50 ms, not 95%; "
         "add candidates near them, or allow the network more"),
        (app(barred=frozenset([EAST])), {},
         "camera: 0% of its users within 100 ms, not 95%; "
         "add candidates near them, or allow the network more"),
        (app(barred=frozenset(PLACES), network_p95_ms=200.0), {},
         "camera: 1 of its places where its data may not live; add candidates where it may"),
        (app(min_locations=3), {}, "camera: 2 places, not 3; add candidates"),
        (app(now=Choice((WEST,), "l4"), stays="held until 2026-12-31: launch"), {},
         "camera: 0% of its users within 100 ms, not 95%; "
         "add candidates near them, or allow the network more"),
    ],
)  # fmt: skip
def test_a_clash_is_named_with_its_amount_and_a_remedy(terms, given, said):
    found = placement.place(portfolio(terms, **given))
    assert [str(clash) for clash in found.clashes] == [said]


def test_a_quota_that_two_apps_want_makes_the_one_move_that_loses_least():
    near = {("us-east", place): 60.0 for place in PLACES[:2]}
    cheap, dear = (
        app(name, network_ms=near, replica_usd={(EAST, "l4"): 100.0, (WEST, "l4"): there})
        for name, there in (("cheap", 110.0), ("dear", 300.0))
    )
    problem = portfolio(cheap, dear, quotas={(EAST, "l4"): 3})
    found = placement.place(problem)
    assert {name: way.locations for name, way in ways(found).items()} == {
        "cheap": (WEST,),
        "dear": (EAST,),
    }
    assert found.apps[0].reason == "makes room for others; costs $70 more"
    more = replace(problem, quotas={(EAST, "l4"): 6})
    assert found.usd_then - placement.place(more).usd_then == pytest.approx(70)


# What promises cost


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_tighter_never_costs_less_and_looser_never_more(seed):
    found = placement.place(some_portfolio(seed))
    for one in placement.prices(found.program):
        if one.change.endswith("tighter"):
            assert one.usd is None or one.usd >= -0.01
        else:
            assert one.usd is not None
            assert one.usd <= 0.01
        assert one.dual_usd is None or one.dual_usd >= 0


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_a_dual_is_what_a_little_more_of_the_limit_saves(seed):
    made = program(some_portfolio(seed))
    found = relax(made)
    assume(found is not None)
    for index, limit in enumerate(made.limits):
        more, less = (relax(with_limit(made, index, limit.most + step)) for step in (1e-3, -1e-3))
        # A dual lies between the slopes on both sides, which differ where the optimum turns a corner.
        assert found.usd - more.usd <= found.prices[index] * 1e-3 + 1e-6
        if less is not None:
            assert less.usd - found.usd >= found.prices[index] * 1e-3 - 1e-6


def test_one_more_gpu_is_worth_what_it_saves_exactly_and_in_the_dual():
    near = {("us-east", place): 60.0 for place in PLACES[:2]}
    apps = [
        app(
            f"app-{n}", typical_rps=np.array([[10.0]]), network_ms=near,
            replica_usd={(EAST, "l4"): 100.0, (WEST, "l4"): 140.0}, now=Choice((WEST,), "l4"),
        )
        for n in range(3)
    ]  # fmt: skip
    both = dict.fromkeys(PLACES, 50.0)
    open_anyway = frozenset(PLACES)
    found = placement.place(
        portfolio(*apps, quotas={(EAST, "l4"): 2}, cluster_usd=both, open_anyway=open_anyway)
    )
    one_more = price(found, "one more")
    assert (one_more.usd, one_more.dual_usd, one_more.unit) == (-40, 40, "GPU")


def test_residency_has_a_price():
    cheap_abroad = {(EAST, "l4"): 100.0, (CENTRAL, "l4"): 60.0}
    near = {("us-east", EAST): 60.0, ("us-east", CENTRAL): 70.0}
    terms = app(replica_usd=cheap_abroad, network_ms=near, barred=frozenset([CENTRAL]))
    assert price(placement.place(portfolio(terms)), "anywhere", "camera").usd == -80


# The network


def test_every_area_of_the_contract_is_somewhere():
    assert set(latency.AREAS) == set(get_args(UserArea))


def test_the_estimate_is_a_mobile_last_mile_and_the_way_in_fibre():
    assert latency.great_circle_km((40.7, -74.0), (51.5, -0.1)) == pytest.approx(5570, rel=0.005)
    # New York to London takes 70 to 75 ms on a good way; a rule of thumb for all ways says more.
    london = latency.estimated_ms("us-east", "aws:eu-west-2") - latency.LAST_MILE_MS
    assert 70 < london < 130
    assert latency.estimated_ms("us-east", "aws:us-east-1-nyc-2a") == latency.LAST_MILE_MS


def test_a_measured_way_wins_and_an_unknown_place_is_named():
    known = latency.network_ms(["uk"], ["aws:eu-west-2"], {("uk", "aws:eu-west-2"): 33.0})
    assert known == {("uk", "aws:eu-west-2"): 33.0}
    with pytest.raises(
        PlacementError, match=r"^aws:xx-west-9: where it is is not known; give its rows"
    ):
        latency.network_ms(["uk"], ["aws:xx-west-9"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("area,location\n", ":1: column network_ms is missing; the columns are area, location, network_ms"),
        ("area,location,network_ms\nmars,aws:us-east-1,5\n", ":2: 'mars' is no area; areas are us-east,"),
        ("area,location,network_ms\nuk,aws:us-east-1,soon\n", ":2: network_ms 'soon' is no number from zero up; "),
        ("area,location,network_ms\nuk,a,1\nuk,a,2\n", ":3: uk to a stands there already; remove one"),
    ],
)  # fmt: skip
def test_a_bad_network_file_says_where(tmp_path, text, said):
    file = tmp_path / "rtt.csv"
    file.write_text(text)
    with pytest.raises(PlacementError) as error:
        placement.read_network(file)
    assert str(error.value).startswith(f"{file}{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("app,area,share\nvoice,uk,0.5\n", ": the shares of voice at 00:00 UTC add up to 0.5; make them 1"),
        ("app,area,share\nvoyce,uk,1\n", ":2: there is no app 'voyce'; apps are voice"),
        ("app,area,share,hour\nvoice,uk,1,24\n", ":2: hour '24' is none of 0 to 23; write the hour in UTC"),
        ("app,area,share\nvoice,uk,1\nvoice,uk,1\n", ":3: uk of voice stands there already; remove one"),
    ],
)  # fmt: skip
def test_a_bad_users_file_says_where(tmp_path, text, said):
    file = tmp_path / "users.csv"
    file.write_text(text)
    with pytest.raises(PlacementError) as error:
        placement.read_users(file, ["voice"])
    assert str(error.value) == f"{file}{said}"


def test_users_may_follow_the_sun(tmp_path):
    file = tmp_path / "users.csv"
    rows = [
        f"voice,{area},{share},{h}"
        for h in range(24)
        for area, share in (("uk", h < 12), ("japan", h >= 12))
    ]
    file.write_text(
        "\n".join(
            [
                "app,area,share,hour",
                *(row.replace("True", "1").replace("False", "0") for row in rows),
            ]
        )
    )
    shares = placement.read_users(file, ["voice"])["voice"]
    assert shares["uk"].tolist() == [1.0] * 12 + [0.0] * 12
    assert (shares["uk"] + shares["japan"] == 1).all()


# From a stack


@pytest.fixture(scope="module")
def problem(prod, prod_demand):
    return placed_problem(prod, prod_demand)


def placed_problem(stack, demand, **given) -> placement.Problem:
    asked = {"replica_price": lambda *_: 1.0, "cluster_price": lambda _: 0.5, **given}
    return placement.problem(
        stack, demand, asked.pop("replica_price"), asked.pop("cluster_price"), **asked
    )


def test_an_app_is_judged_only_where_its_users_and_its_part_of_the_slo_are_known(problem):
    assert problem.unjudged == {
        "assistant": "where its users are is not known; add apps.assistant.users",
        "moderation": "where its users are is not known; add apps.moderation.users",
    }


def test_no_price_is_named_and_never_zero(prod, prod_demand):
    def no_a10g(_app: str, _place: str, gpu: str) -> float | None:
        return None if gpu == "a10g" else 1.0

    found = placed_problem(prod, prod_demand, replica_price=no_a10g)
    camera = next(terms for terms in found.apps if terms.name == "camera")
    assert not any(gpu == "a10g" for _, gpu in camera.replica_usd)
    assert "camera: no price for a10g at aws:us-west-2" in found.unpriced
    nothing = placed_problem(prod, prod_demand, replica_price=lambda *_: None)
    assert nothing.apps == ()
    assert nothing.unjudged["voice"] == (
        "no price for l4 at aws:us-east-1, where it runs; add one with --prices"
    )


def test_demand_of_all_places_is_split_by_area(prod, prod_demand, problem):
    voice = next(terms for terms in problem.apps if terms.name == "voice")
    hourly = prod_demand.hourly["voice"].sum(axis=1, skipna=False)
    assert voice.busiest_rps.sum(1).max() == pytest.approx(hourly.max())
    shares = voice.typical_rps.sum(0) / voice.typical_rps.sum()
    assert dict(zip(voice.areas, shares, strict=True)) == pytest.approx(prod.apps["voice"].users)


def test_what_is_not_judged_keeps_its_gpus_its_cluster_and_its_money(prod, problem):
    assistant = prod.capacity["assistant"]["aws:us-east-1"]
    assert problem.quotas["aws:us-east-1", "l40s"] == 32 - assistant.ceiling
    assert problem.open_anyway == {"aws:us-east-1"}
    kept = sum(prod.capacity[name]["aws:us-east-1"].expected_replicas for name in problem.unjudged)
    assert problem.budget_usd == pytest.approx(90_000 - 730 * kept)


def test_data_stays_where_it_may_live_and_a_local_zone_comes_with_its_region(problem):
    placed = {p.terms.name: p for p in placement.place(problem).apps}
    assert all(place.startswith("aws:eu-") for place in placed["health"].then.choice.locations)
    assert "gcp:us-central1" in placed["camera"].terms.barred
    for option in placement.place(problem).program.options:
        if any("bos" in place for place in option.choice.locations):
            assert "aws:us-east-1" in option.choice.locations


def test_a_placement_in_the_stack_file_reads_as_it_was_proposed(prod, prod_demand, tmp_path):
    import stacks
    from tests.forecasting.conftest import ROOT

    def price(_app: str, place: str, gpu: str) -> float:
        return 0.2 if (place, gpu) == ("aws:us-east-2", "l4") else 1.0

    cheap_l4 = placed_problem(prod, prod_demand, replica_price=price)
    found = placement.place(cheap_l4)
    assert {placed.terms.name for placed in found.moved} >= {"photos"}
    after = proposed(prod, found)
    assert isinstance(after, Stack)
    assert after.apps["photos"].edge == ("cdn",)
    assert after.apps["photos"].serving.gpu == "l4"
    assert after.apps["photos"].placement.rps_per_replica == {"t4": 8}
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_bytes((ROOT / "stacks" / "Pulumi.prod.yaml").read_bytes())
    assert write_keys(file, edits(prod, after))
    assert stacks.load(file) == after
    assert write_keys(file, edits(prod, after)) == ""


def test_the_first_capacity_serves_the_typical_hour_and_reaches_the_busiest():
    load = np.tile(np.array([[5.0], *[[25.0]] * 23]), (7, 1))
    terms = app(typical_rps=load, busiest_rps=load * 2)
    placed = placement.place(portfolio(terms)).apps[0]
    ((place, capacity),) = first_capacity(placed, PlannerLimits()).items()
    assert (place, capacity.ceiling, capacity.reason) == (EAST, 5, REASON)
    assert capacity.floor.weekday == (1, *[3] * 23)
    assert capacity.expected_replicas == pytest.approx((1 + 23 * 3) / 24, abs=0.01)


def test_the_rivals_cost_more_or_break_a_promise():
    """Nearest places on the own GPU, and the cheapest single place, as people do it by hand."""
    for seed in range(30):
        problem = replace(
            some_portfolio(seed), limits=PlannerLimits(min_move_share=0, min_move_usd=0)
        )
        found = placement.place(problem)
        if found.clashes:
            continue
        close, cheap = {}, {}
        for t in problem.apps:
            near = {nearest(t, area, PLACES) for area in t.areas}
            usd_month = {t.replica_usd[place, "l4"]: place for place in PLACES}
            close[t.name] = Choice(tuple(sorted(near)), "l4")
            cheap[t.name] = Choice((usd_month[min(usd_month)],), "l4")
        for rival in (close, cheap):
            assert broken(problem, rival) or usd(problem, rival) >= found.usd_then - 1e-6

"""Work on many workers: in order, a few pieces at a time, and done though workers are lost."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecasting import DemandForecaster, parallel
from forecasting.capacity import shards
from forecasting.capacity.planner import plan
from forecasting.parallel import GIVEN, MOST_LOSSES, Here, On, WorkersError, workers
from forecasting.quantiles.forecaster import training_series
from gitops import cli
from tests.forecasting.services import dollar
from tests.forecasting.test_determinism import content

SQUARES = [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
square = partial(pow, exp=2)


class Fragile(Executor):
    """Runs at once, and breaks at the calls that it is told to, as a killed process does."""

    calls = 0

    def __init__(self, breaks: set[int]) -> None:
        self.breaks = breaks

    def submit(self, fn, /, *args, **kwargs):
        number, Fragile.calls = Fragile.calls, Fragile.calls + 1
        if number in self.breaks and number % 2:
            raise BrokenProcessPool("a child process terminated abruptly")
        future: Future = Future()
        if number in self.breaks:
            future.set_exception(BrokenProcessPool("a child process terminated abruptly"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.parametrize("on", [Here(), On(partial(ThreadPoolExecutor, 3), 3)])
def test_results_come_in_the_order_of_the_items(on):
    assert on.map(square, range(10), what="squares", total=10) == SQUARES
    assert on.map(square, [], what="nothing", total=0) == []


def test_only_a_few_items_are_made_before_they_are_worked_on():
    told = [0]
    ahead = []

    def items():
        for i in range(30):
            ahead.append(i - told[-1])
            yield i

    on = On(partial(ThreadPoolExecutor, 2), 2, told=lambda _what, done, _total: told.append(done))
    assert len(on.map(square, items(), what="squares", total=30)) == 30
    assert max(ahead) <= 2 * GIVEN
    assert told[1:] == list(range(31))


@pytest.mark.parametrize("breaks", [{0}, {3}, {2, 5, 8}])
def test_pieces_of_an_executor_that_breaks_are_done_on_the_next(breaks, monkeypatch):
    monkeypatch.setattr(Fragile, "calls", 0)
    on = On(partial(Fragile, breaks), 2)
    assert on.map(square, range(10), what="squares", total=10) == SQUARES


def test_executors_that_break_again_and_again_are_given_up_with_one_line(monkeypatch):
    monkeypatch.setattr(Fragile, "calls", 0)
    on = On(partial(Fragile, set(range(100))), 2)
    with pytest.raises(WorkersError, match=rf"^squares: workers were lost {MOST_LOSSES + 1} times"):
        on.map(square, range(10), what="squares", total=10)


def test_an_error_in_a_piece_is_the_callers():
    on = On(partial(ThreadPoolExecutor, 2), 2)
    with pytest.raises(ValueError, match="math domain"):
        on.map(math.sqrt, [1.0, -1.0], what="roots", total=2)


def test_a_worker_that_runs_other_code_refuses():
    here = parallel.built()
    assert parallel._worked(square, here, 3) == 9
    with pytest.raises(WorkersError, match=r"^a worker on \S+ runs numpy \S+, not numpy 0"):
        parallel._worked(square, (*here[:2], "numpy 0", *here[3:]), 3)


@pytest.mark.parametrize(
    ("address", "problem"),
    [("tcp://127.0.0.1:9", "no Dask scheduler answers there"), ("tcp://here", "no Dask scheduler")],
)
def test_a_wrong_address_is_one_clear_line(capsys, tmp_path, address, problem):
    code = cli.main(["plan", "dev", "--demand", str(tmp_path), "--workers", address])
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith(f"{address}: {problem}")
    assert "dask scheduler" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("text", ["0", "-1", "many", "2.5"])
def test_workers_that_make_no_sense_are_wrong_usage(text, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["replay", "dev", f"--workers={text}"])
    assert stopped.value.code == 2
    assert "neither a number of processes nor the address" in capsys.readouterr().err


def test_a_shard_with_what_all_have_learned_is_forecast_as_among_them():
    random = np.random.default_rng(4)
    hours = pd.date_range("2026-01-05", periods=24 * 16, freq="h", tz="UTC")
    level = random.uniform(1, 90, 24)
    shape = 1.3 + np.sin(2 * np.pi * (hours.hour.to_numpy()[:, None] + 24 * random.random(24)) / 24)
    demand = pd.DataFrame(level * shape * random.lognormal(0, 0.1, shape.shape), hours)
    together = DemandForecaster().fit(demand).predict(48)
    sample = demand.iloc[:, training_series(demand.shape[1])]
    learned = DemandForecaster().fit(sample).learned(48)
    for first in range(0, 24, 7):
        part = demand.iloc[:, first : first + 7]
        apart = DemandForecaster().fit(part, coefficients=learned).predict(48)
        np.testing.assert_allclose(apart, together[part.columns], rtol=1e-9)
        alone = DemandForecaster().fit(part).predict(48)
        assert not np.allclose(alone, together[part.columns], rtol=1e-3)


@pytest.mark.slow
def test_a_local_process_that_is_killed_costs_time_only(few, few_demand, monkeypatch):
    monkeypatch.setattr(shards, "SERVICES", 1)
    lost = []

    def kill_one(what: str, done: int, _total: int) -> None:
        if (what, done) == ("planning", 1):
            victim = multiprocessing.active_children()[0]
            lost.append(victim.pid)
            victim.kill()

    with workers(2, kill_one) as two:
        survived = plan(few, few_demand, dollar, workers=two)
    assert len(lost) == 1
    assert content(survived) == content(plan(few, few_demand, dollar))


@pytest.mark.slow
def test_a_dask_worker_that_is_killed_costs_time_only(few, few_demand, monkeypatch, cluster):
    monkeypatch.setattr(shards, "SERVICES", 1)
    lost = []

    def kill_one(what: str, done: int, _total: int) -> None:
        if (what, done) == ("learning", 2):
            lost.append(next(iter(cluster.workers.values())).pid)
            os.kill(lost[-1], signal.SIGKILL)

    with workers(cluster.scheduler_address, kill_one) as two:
        survived = plan(few, few_demand, dollar, workers=two)
    assert len(lost) == 1
    assert content(survived) == content(plan(few, few_demand, dollar))


@pytest.mark.slow
def test_a_scheduler_without_workers_is_told_at_once():
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, dashboard_address=":0") as nobody:  # noqa: SIM117
        with pytest.raises(WorkersError, match="has no workers; start some in a checkout"):
            with workers(nobody.scheduler_address):
                pass

"""What a replica serves inside the SLO: what is learned from telemetry, beside two rules in use.

    python benchmarks/sizing.py [--every 2]

Telemetry comes from queues with measured service times and request lengths (see serving.py); the
truth is the same queue in the long run at a steady load. Columns: share of the services whose true
capacity lies in the 90 % interval; share of those whose safe load is safe; mean and mean absolute
error of the single answer. `driven` is the busiest load as a share of the true capacity.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.serving import servers, telemetry  # noqa: E402
from forecasting.sizing.throughput import learn  # noqa: E402

TRACES = ROOT.parent / "shared" / "data"
STEP = pd.Timedelta("10min")
SLOS = (1.5, 2.5)
"""Times the p95 latency without load."""
DRIVEN = (0.8, 1.0, 1.1, 1.25)
MIXES = (0.0, 0.25)
"""By how much requests are longer at one time of the day than at another."""
BUSY_TARGET = 0.7


def throughput(every: int) -> pd.DataFrame:
    """A row for each service and way of driving it; answers as shares of the true capacity."""
    rows = []
    for name, server in list(servers(TRACES).items())[::every]:
        unloaded = server.p95_ms(0.05 * server.busiest_rps())
        for slo in (times * unloaded for times in SLOS):
            true = server.capacity_rps(slo)
            for driven in DRIVEN:
                for mix in MIXES:
                    seed = zlib.crc32(f"{name} {slo:.3f} {driven} {mix}".encode())
                    seen = telemetry(
                        server, busiest_rps=driven * true, days=14, replicas=3, seed=seed, mix=mix
                    )
                    learned = learn(seen, slo, STEP)
                    load = seen["rps"] / seen["replicas"]
                    within = seen["latency_p95_ms"] <= slo
                    rows.append(
                        {
                            "driven": driven,
                            "mix": mix,
                            "low": learned.low / true,
                            "high": (learned.high or np.inf) / true,
                            "this": learned.estimate / true,
                            "most load seen inside the SLO": load[within].max() / true,
                            "70 % busy": float(
                                (BUSY_TARGET * load / seen["utilisation"]).median() / true
                            ),
                        }
                    )
    return pd.DataFrame(rows)


def told(rows: pd.DataFrame) -> None:
    print(f"{len(rows)} services, 14 days each; answers as shares of the true capacity")
    print(f"{'':8s}{'mix':>5s}{'inside':>8s}{'safe':>6s}", end="")
    rules = ("this", "most load seen inside the SLO", "70 % busy")
    print("".join(f"{rule:>32s}" for rule in rules))
    for (driven, mix), group in rows.groupby(["driven", "mix"]):
        inside = ((group["low"] <= 1) & (group["high"] >= 1)).mean()
        print(f"{driven:8.2f}{mix:5.2f}{inside:8.0%}{(group['low'] <= 1).mean():6.0%}", end="")
        for rule in rules:
            error = group[rule] - 1
            print(f"{error.mean():+25.1%}{error.abs().mean():7.1%}", end="")
        print()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=2, help="of the 14 services (default: 2)")
    told(throughput(parser.parse_args().every))


if __name__ == "__main__":
    main()

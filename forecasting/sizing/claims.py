"""What the stack file claims of a replica, held against what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from forecasting.sizing.throughput import OVERLOADED, Throughput, TooLittle, learn
from forecasting.telemetry.demand import Finding
from forecasting.telemetry.samples import Samples
from stacks.records import App, Stack

WORTH_TELLING = 0.1
"""A claim so far below what is safely served costs more replicas than noise would."""
TOO_WIDE = 0.1
"""A claim inside an interval that begins so far below it is neither borne out nor refuted."""
SECONDS_NOT_MS = 200
"""A typical latency so many times below the SLO is likely in seconds."""
Word = Literal["holds", "too high", "too low", "too little known"]


@dataclass(frozen=True)
class Verdict:
    """A service's claim beside the measurement."""

    app: str
    location: str
    claimed_rps: float
    """`serving.rps_per_replica` of the stack file."""
    slo_ms: float
    word: Word
    detail: str
    """Why, by how much, and what to do; one line."""
    measured: Throughput | None
    """None where nothing could be learned."""
    spare_replicas: float | None = None
    """Of the mean replicas that stand, how many a claim that is too low keeps for nothing."""


def judge(stack: Stack, samples: Samples) -> tuple[Verdict, ...]:
    """A verdict for each service of the stack; the same inputs give the same verdicts."""
    return tuple(_of_service(stack, samples, *service) for service in stack.services())


def claims(stack: Stack, samples: Samples) -> tuple[Finding, ...]:
    """The claims that measurement refutes, for the plan to show; people own the claim."""
    return tuple(
        Finding("claim", f"rps_per_replica is {verdict.word}: {verdict.detail}", *service)
        for verdict in judge(stack, samples)
        if verdict.word in ("too high", "too low")
        for service in ((verdict.app, verdict.location),)
    )


def _of_service(stack: Stack, samples: Samples, name: str, location: str) -> Verdict:
    app = stack.apps[name]
    claim, slo = app.serving.rps_per_replica, app.slo.latency_p95_ms
    rows = samples.of(name, location)
    measured: Throughput | None = None
    spare = None
    if rows.empty:
        word, detail = _unknown("no samples; check the labels app and location of the source")
    elif rows["latency_p95_ms"].median() < slo / SECONDS_NOT_MS:
        typical = rows["latency_p95_ms"].median()
        word, detail = _unknown(f"typical latency {typical:.3g} ms: seconds? give milliseconds")
    else:
        try:
            measured = learn(rows, slo, samples.step)
            word, detail = _verdict(measured, app)
        except TooLittle as lacking:
            word, detail = _unknown(str(lacking))
    stands = stack.capacity.get(name, {}).get(location)
    if word == "too low" and measured is not None and stands is not None:
        spare = stands.expected_replicas * (1 - claim / measured.low)
    return Verdict(name, location, claim, slo, word, detail, measured, spare)


def _unknown(detail: str) -> tuple[Word, str]:
    return "too little known", detail


def _verdict(measured: Throughput, app: App) -> tuple[Word, str]:
    claim, slo = app.serving.rps_per_replica, app.slo.latency_p95_ms
    if measured.high is not None and claim > measured.high:
        return "too high", _too_high(measured, claim, slo)
    if claim < (1 - WORTH_TELLING) * measured.low:
        least = "" if measured.driven_to_its_limit else "at least "
        detail = f"{least}{measured.low:.4g} rps keep {slo:g} ms; at {claim:g} about "
        return "too low", detail + f"{1 - claim / measured.low:.0%} of the replicas are spare"
    if claim > measured.seen:
        latency = measured.latency_at(measured.seen)
        detail = f"load was hardly ever above {measured.seen:.4g} rps ({latency:.0f} ms there); "
        return _unknown(detail + f"drive a replica to {claim:g}")
    if measured.low < (1 - TOO_WIDE) * claim:
        most = "" if measured.high is None else f" and at most {measured.high:.4g}"
        return _unknown(f"at least {measured.low:.4g} rps{most}: too wide to tell; wait for more")
    most = f"{measured.high:.4g}" if measured.high is not None else "at least as many"
    return "holds", f"{slo:g} ms are kept up to {measured.low:.4g} to {most} rps"


def _too_high(measured: Throughput, claim: float, slo: float) -> str:
    """By how much users would suffer, as far as it was seen."""
    beyond = claim > measured.seen
    worst = measured.latency_at(claim)
    where = f"{measured.seen:.4g} rps, the most seen" if beyond else f"{claim:g} rps"
    more = " or more" if worst >= OVERLOADED * slo else ""
    suffering = f"p95 {worst / slo:.1f} x the SLO{more} at {where}"
    if not measured.low:
        return f"{suffering}, and kept at no load seen; look for another cause than load"
    return f"{suffering}; set it to {measured.low:.3g}"

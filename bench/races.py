"""Calls a second on this machine, everything on it included: the contender, its clients and the stores."""

from __future__ import annotations

from bench.accounting import percentile, ratio_of, spread
from bench.budgets import Results
from bench.load import READS, UPDATES, YCSB_A, YCSB_B, YCSB_F, Job, Mix, Report, fewest_calls
from bench.scene import Contest, Reports, Scene
from bench.site import DIRECT, SHADOWED
from crossfade import AsyncMigrationClient

_CLIENTS = 16
_DUAL = f"dual writes, {_CLIENTS} clients"
_YCSB = f"YCSB mixes, zipfian, {_CLIENTS} clients: calls a second (99th percentile, ms)"
_SHADOW = f"point reads by the share that is compared, {_CLIENTS} clients"
_MIXES: dict[str, Mix] = {"A": YCSB_A, "B": YCSB_B, "F": YCSB_F}


async def race(scene: Scene, results: Results) -> None:
    """Dual writes, then the YCSB mixes, through one and two proxies and by hand."""
    reports = await scene.compete(_contest(scene, UPDATES, scene.effort.calls(800)))
    for name, rounds in reports.items():
        results.tell(_DUAL, name, **_figures(rounds))
    ratio = ratio_of(rates(reports["two proxies"]), rates(reports["hand-written"]))
    results.add("dual_write_throughput_vs_handwritten", ratio, fewest_calls(*reports.values()))
    for label, mix in _MIXES.items():
        found = await scene.compete(
            _contest(scene, mix, scene.effort.calls(400)), rounds=min(2, scene.effort.others)
        )
        _tell_mix(results, label, found)


async def shadow(scene: Scene, results: Results) -> None:
    """What comparing reads costs those that are served."""
    calls = scene.effort.calls(1_000)
    before = {name: await _counts(scene, name) for name in SHADOWED}
    contest = {name: (scene.one, Job(name, READS, calls, _CLIENTS)) for name in SHADOWED}
    reports = await scene.compete(contest)
    for name, rounds in reports.items():
        results.tell(_SHADOW, name, **_figures(rounds))
        compared, dropped = await _counts(scene, name)
        results.tell(_SHADOW, name, compared=compared - before[name][0], dropped=dropped - before[name][1])
    ratio = ratio_of(rates(reports["shadow_100"]), rates(reports["shadow_0"]))
    results.add("shadow_100_throughput_ratio", ratio, calls)


def rates(reports: list[Report]) -> list[float]:
    return [report.rate for report in reports]


def _contest(scene: Scene, mix: Mix, calls: int) -> Contest:
    direct, proxied = Job(DIRECT, mix, calls, _CLIENTS), Job("mongo_primary", mix, calls, _CLIENTS)
    contest = {
        "two proxies": (scene.two, proxied),
        "one proxy": (scene.one, proxied),
        "hand-written": (scene.hand_written, direct),
        "drivers": (scene.drivers, direct),
    }
    return contest if mix is UPDATES else contest | {"PyMongo": (scene.direct, direct)}


def _figures(rounds: list[Report]) -> dict[str, float]:
    return {
        "calls_a_second": spread(rates(rounds)).median,
        "p50_ms": spread([percentile(one.latencies, 0.5) * 1000 for one in rounds]).median,
        "p99_ms": spread([percentile(one.latencies, 0.99) * 1000 for one in rounds]).median,
        "calls_a_round": fewest_calls(rounds),
    }


def _tell_mix(results: Results, label: str, reports: Reports) -> None:
    for name, rounds in reports.items():
        figures = _figures(rounds)
        cell = f"{figures['calls_a_second']:.0f} ({figures['p99_ms']:.1f})"
        results.tell(_YCSB, name, **{label: cell})


async def _counts(scene: Scene, name: str) -> tuple[int, int]:
    """Shadow reads of a collection on the first proxy so far: compared, dropped."""
    async with AsyncMigrationClient(scene.proxies[0].address) as operator:
        counts = (await operator.get_collection(name)).counts
    return counts.shadow_compared, counts.shadow_dropped

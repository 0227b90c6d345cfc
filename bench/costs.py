"""CPU of a call: of the proxy in each stage, of an echo of the same message, and of the alternatives."""

from __future__ import annotations

from collections.abc import Mapping

from bench.accounting import Spread, ratio_of, spread
from bench.budgets import Results
from bench.crew import Worker
from bench.documents import Operation
from bench.idling import idle_share, without_idling
from bench.load import Job, Report
from bench.scene import Contest, Reports, Scene, reverse
from bench.site import DIRECT, REVERSED, STAGES

_CALLS = {
    Operation.READ: 250,
    Operation.LIST: 80,
    Operation.INSERT: 150,
    Operation.UPDATE: 200,
    Operation.RESERVE: 80,
}
_PACE = 200
"""Calls a second for each process at which proxies are compared with their floor: less than half of what one
carries here."""
_PACED_CALLS = 400
_TABLE = "CPU of a call, µs, 8 clients (the process named; stores are not in it)"
_PACED_TABLE = f"CPU of a call, µs, {_PACE} calls a second for each process"
_BUDGETS = {Operation.READ: "read_cpu_vs_floor", Operation.UPDATE: "dual_write_cpu_vs_floor"}


async def measure(scene: Scene, results: Results) -> None:
    """Compare the proxy with its floor: what gRPC and the drivers take by themselves."""
    async with reverse(scene):
        await _compare(scene, results)


async def _compare(scene: Scene, results: Results) -> None:
    for operation in _CALLS:
        reports = await scene.compete(_contest(scene, operation))
        _tell(results, operation, reports)
        proxy, floor = cpu(reports["mongo_primary"]), _floor(reports)
        results.tell(_TABLE, operation.value, proxy_over_floor=ratio_of(proxy, floor).median)
        if key := _BUDGETS.get(operation):
            results.add(key, await _above_floor(scene, results, operation))


async def _above_floor(scene: Scene, results: Results, operation: Operation) -> Spread:
    """What a call takes at one pace over its floor, less what the proxies do without calls."""
    idle = await idle_share(*scene.both)
    reports = await scene.compete(_at_one_pace(scene, operation))
    proxy, floor = without_idling(reports["proxies"], idle), _floor(reports)
    results.tell(
        _PACED_TABLE,
        operation.value,
        **{name: spread(cpu(rounds)).median for name, rounds in reports.items()},
        proxies_without_idling=spread(proxy).median,
        idle_share_of_two=idle,
    )
    return ratio_of(proxy, floor)


def _floor(reports: Reports) -> list[float]:
    return [
        echo + drivers for echo, drivers in zip(cpu(reports["echo"]), cpu(reports["drivers"]), strict=True)
    ]


def _at_one_pace(scene: Scene, operation: Operation) -> Contest:
    """The proxies, side by side as behind a load balancer, and their floor, each process at the same pace.

    Without a pace each runs as fast as it can, and whoever runs faster does more at each waking up: the echo
    at 4,000 calls a second takes half of the CPU for each that it takes at 200.
    """

    def job(collection: str, processes: int, billed: tuple[int, ...] = ()) -> Job:
        calls = scene.effort.calls(_PACED_CALLS) * processes
        return Job(collection, {operation: 1.0}, calls, pause=8 / (_PACE * processes), billed=billed)

    return {
        "echo": (scene.echoing, job("echo", 1, (scene.echo.pid,))),
        "drivers": (scene.drivers, job(DIRECT, 1)),
        "proxies": (scene.two, job("mongo_primary", 2, scene.both)),
    }


def cpu(reports: list[Report]) -> list[float]:
    return [report.cpu_us for report in reports]


def _contest(scene: Scene, operation: Operation) -> Contest:
    calls = scene.effort.calls(_CALLS[operation])

    def job(collection: str, billed: tuple[int, ...] = ()) -> Job:
        return Job(collection, {operation: 1.0}, calls, billed=billed)

    contest: dict[str, tuple[Worker, Job]] = {
        "echo": (scene.echoing, job("echo", (scene.echo.pid,))),
        "drivers": (scene.drivers, job(DIRECT)),
        **{name: (scene.one, job(name, scene.both)) for name in (*STAGES, REVERSED)},
        "PyMongo": (scene.direct, job(DIRECT)),
    }
    if operation is not Operation.RESERVE:
        contest["boto3"] = (scene.boto, job(DIRECT))
    if operation not in (Operation.READ, Operation.LIST):
        contest["hand-written"] = (scene.hand_written, job(DIRECT))
    return contest


def _tell(results: Results, operation: Operation, reports: Reports) -> None:
    found: Mapping[str, Spread] = {name: spread(cpu(rounds)) for name, rounds in reports.items()}
    results.tell(_TABLE, operation.value, **{name: one.median for name, one in found.items()})

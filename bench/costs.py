"""CPU of a call: of the proxy in each stage, of an echo of the same message, and of the alternatives."""

from __future__ import annotations

from collections.abc import Mapping

from bench.accounting import Spread, ratio_of, spread
from bench.budgets import Results
from bench.crew import Worker
from bench.documents import Operation
from bench.load import Job, Report
from bench.scene import Contest, Reports, Scene, reverse
from bench.site import DIRECT, REVERSED, STAGES

_CALLS = {
    Operation.READ: 500,
    Operation.LIST: 150,
    Operation.INSERT: 300,
    Operation.UPDATE: 400,
    Operation.RESERVE: 150,
}
_PACE = 200
"""Calls a second at which a proxy is compared with its floor, about half of what one carries here."""
_PACED_CALLS = 400
_TABLE = "CPU of a call, µs, 8 clients (the process named; stores are not in it)"
_BUDGETS = {Operation.READ: "read_cpu_vs_floor", Operation.UPDATE: "dual_write_cpu_vs_floor"}


async def measure(scene: Scene, results: Results) -> None:
    """Compare the proxy with its floor: what gRPC and the drivers take by themselves."""
    async with reverse(scene):
        await _compare(scene, results)


async def _compare(scene: Scene, results: Results) -> None:
    for operation in _CALLS:
        reports = await scene.compete(_contest(scene, operation))
        _tell(results, operation, reports)
        above = _above_floor(reports)
        results.tell(_TABLE, operation.value, proxy_over_floor=above.median)
        if key := _BUDGETS.get(operation):
            results.add(key, _above_floor(await scene.compete(_at_one_pace(scene, operation))))


def _above_floor(reports: Reports) -> Spread:
    floor = [
        echo + drivers for echo, drivers in zip(cpu(reports["echo"]), cpu(reports["drivers"]), strict=True)
    ]
    return ratio_of(cpu(reports["mongo_primary"]), floor)


def _at_one_pace(scene: Scene, operation: Operation) -> Contest:
    """The proxies, side by side as behind a load balancer, and their floor at the same calls a second.

    Without a pace each runs as fast as it can, and whoever runs faster does more at each waking up: the echo
    at 4,000 calls a second takes half of the CPU for each that it takes at 200.
    """
    calls = scene.effort.calls(_PACED_CALLS)

    def job(collection: str, billed: tuple[int, ...] = ()) -> Job:
        return Job(collection, {operation: 1.0}, calls, pause=8 / _PACE, billed=billed)

    return {
        "echo": (scene.echoing, job("echo", (scene.echo.pid,))),
        "drivers": (scene.drivers, job(DIRECT)),
        "mongo_primary": (scene.two, job("mongo_primary", scene.both)),
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

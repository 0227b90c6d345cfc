"""CPU of a call: of the proxy in each stage, of an echo of the same message, and of the alternatives."""

from __future__ import annotations

from dataclasses import replace

from bench.accounting import ratio_of, spread
from bench.budgets import Results
from bench.crew import Worker
from bench.documents import Operation
from bench.idling import SETTLING, Idling, without_idling
from bench.load import Job, Report, fewest_calls
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
_PACED_CALLS = 600
_WATCHED = 1.5
"""Seconds that the proxies are watched at a time while nobody calls them; they do something for each of their
collections every three."""
_TABLE = "CPU of a call, µs, 8 clients (the process named; stores are not in it)"
_PACED_TABLE = f"CPU of a call, µs, {_PACE} calls a second for each process (proxies: two together)"
_BUDGETS = {Operation.READ: "read_cpu_vs_floor", Operation.UPDATE: "dual_write_cpu_vs_floor"}


async def measure(scene: Scene, results: Results) -> None:
    """Compare the proxy with its floor: what gRPC and the drivers take by themselves."""
    async with reverse(scene):
        await _compare(scene, results)


async def _compare(scene: Scene, results: Results) -> None:
    """As fast as each can, for the tables alone; then at one pace, for the budgets."""
    for operation in _CALLS:
        reports = await scene.compete(_contest(scene, operation), scene.effort.others)
        _tell(results, _TABLE, operation, reports)
        ratio = ratio_of(cpu(reports["mongo_primary"]), floor(reports))
        results.tell(_TABLE, operation.value, proxy_over_floor=ratio.median)
        if operation in _BUDGETS:
            await _compare_at_one_pace(scene, results, operation)


async def _compare_at_one_pace(scene: Scene, results: Results, operation: Operation) -> None:
    """What a call takes at one pace over its floor, less what the proxies do without calls."""
    idling = Idling(scene.both, _WATCHED)
    reports = await scene.compete(_at_one_pace(scene, operation), between=idling.watch)
    proxy, below = without_idling(reports["proxies"], idling.share()), floor(reports)
    _tell(results, _PACED_TABLE, operation, reports)
    results.tell(
        _PACED_TABLE,
        operation.value,
        proxies_without_idling=spread(proxy).median,
        floor=spread(below).median,
        idle_share_of_two=idling.share(),
    )
    results.add(_BUDGETS[operation], ratio_of(proxy, below), fewest_calls(*reports.values()))


def floor(reports: Reports) -> list[float]:
    """What gRPC and the drivers take, µs a call, round by round. The drivers run in the process that makes
    their calls, and only there: what making calls takes by itself is not the drivers'."""
    rounds = zip(*(cpu(reports[name]) for name in ("echo", "drivers", "nothing")), strict=True)
    return [echo + drivers - nothing for echo, drivers, nothing in rounds]


def _at_one_pace(scene: Scene, operation: Operation) -> Contest:
    """The proxies, side by side as behind a load balancer, and their floor, each process at the same pace.

    Without a pace each runs as fast as it can, and whoever runs faster does more at each waking up: the echo
    at 3,000 calls a second takes about a third of the CPU for each that it takes at 200.
    """

    def job(collection: str, processes: int, billed: tuple[int, ...] = ()) -> Job:
        calls = scene.effort.calls(_PACED_CALLS) * processes
        return Job(collection, {operation: 1.0}, calls, every=8 / (_PACE * processes), billed=billed)

    return {
        "echo": (scene.echoing, job("echo", 1, (scene.echo.pid,))),
        "drivers": (scene.drivers, job(DIRECT, 1)),
        "nothing": (scene.nothing, job(DIRECT, 1)),
        "proxies": (scene.two, replace(job("mongo_primary", 2, scene.both), after=SETTLING)),
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
        "nothing": (scene.nothing, job(DIRECT)),
        **{name: (scene.one, job(name, scene.both)) for name in (*STAGES, REVERSED)},
        "PyMongo": (scene.direct, job(DIRECT)),
    }
    if operation is not Operation.RESERVE:
        contest["boto3"] = (scene.boto, job(DIRECT))
    if operation not in (Operation.READ, Operation.LIST):
        contest["hand-written"] = (scene.hand_written, job(DIRECT))
    return contest


def _tell(results: Results, table: str, operation: Operation, reports: Reports) -> None:
    """CPU of a call, and in a row of its own how many calls a second the contender made."""
    for name, rounds in reports.items():
        results.tell(table, operation.value, **{name: spread(cpu(rounds)).median})
        rate = spread([report.rate for report in rounds]).median
        results.tell(table, f"{operation.value}: calls/s", **{name: rate})

"""What a proxy takes by being there: memory after many calls, and time to start."""

from __future__ import annotations

from bench.accounting import resident_mb, spread
from bench.budgets import Results
from bench.contenders import Wire
from bench.crew import Worker
from bench.documents import Operation
from bench.load import Job, Mix
from bench.scene import FULL, Scene

_MIXED: Mix = {
    Operation.READ: 0.6,
    Operation.UPDATE: 0.2,
    Operation.LIST: 0.1,
    Operation.INSERT: 0.05,
    Operation.RESERVE: 0.05,
}
_PARTS = 10
_CALLS = 3_600
"""One a second for an hour; a full run makes forty times as many."""
_MEMORY = "resident memory of a proxy, MB, by calls served"


async def memory(scene: Scene, results: Results) -> None:
    """Replay mixed calls on a fresh proxy, a tenth at a time; caches are full after the first half."""
    part = int(_CALLS / _PARTS * (40 if scene.effort is FULL else 1))
    sizes = []
    async with (
        scene.site.proxy(scene.site.directory / "collections.yaml", "control") as proxy,
        Worker(Wire, (proxy.address,)) as worker,
    ):
        results.tell(_MEMORY, "resident", **{"0": resident_mb(proxy.pid)})
        for number in range(_PARTS):
            report = await worker.run(Job("shadow_100", _MIXED, part, 16, seed=number))
            if report.failures:
                raise RuntimeError(f"{report.failures} calls failed: {report.complaint}")
            sizes.append(resident_mb(proxy.pid))
            results.tell(_MEMORY, "resident", **{f"{part * (number + 1)}": sizes[-1]})
    results.add("memory_per_process_mb", spread([max(sizes)]), part * _PARTS)
    results.add("memory_growth_mb", spread([sizes[-1] - sizes[_PARTS // 2 - 1]]), part * _PARTS)


async def start(scene: Scene, results: Results) -> None:
    """Start a proxy again and again, on stores that are prepared already."""
    found = []
    for _ in range(scene.effort.rounds):
        async with scene.site.proxy(scene.site.directory / "collections.yaml", "control") as proxy:
            found.append(proxy.started)
    results.add("startup_seconds", spread(found), calls=0)

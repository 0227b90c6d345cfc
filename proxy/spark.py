"""Backfill and verify on a Spark cluster: the same functions over the same ranges as every worker's.

    python -m proxy.spark backfill COLLECTION            here, on all cores, or on the cluster of spark-submit
    spark-submit proxy/spark.py verify COLLECTION

Each Spark task takes one range after another by lease, as workers do, so proxies and other workers may share
in the same job, `crossfade jobs` shows how far it is, and a lost executor costs what it did since its last
checkpoint. Executors need this distribution, and roads and credentials to both stores.

Exit codes: 0 all is well, 1 something is left to mend, 2 the command line or the settings are wrong, 3 a
store was not reached or refused.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pyspark import SparkConf
from pyspark.sql import SparkSession

from proxy.cluster import open_site, own_name
from proxy.config import ConfigError, ProxyConfig, load_collections, load_config
from proxy.core.collection import Collection
from proxy.core.comparison import Kind
from proxy.core.errors import CrossfadeError
from proxy.core.flag import Job
from proxy.reconcile.charter import JobOrder, charter_of
from proxy.reconcile.copying import QUARANTINED
from proxy.reconcile.job import FINISHED, RUNNING, begin
from proxy.reconcile.shift import work_one
from proxy.reconcile.workshop import trade_of

WELL, LEFT, WRONG, UNREACHABLE = 0, 1, 2, 3
KINDS = ("backfill", "verify")
TASKS_A_CORE = 4
"""Spark tasks for each core: enough that a slow one holds nobody up, few enough to open stores seldom."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an executor is told: how to reach both stores, what is declared, and which job to share in."""

    config: ProxyConfig
    collections: tuple[Collection, ...]
    collection: str
    kind: str

    def of_worker(self) -> Assignment:
        """The same for a process with a name of its own."""
        return replace(self, config=replace(self.config, replica_id=own_name("spark")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job on the session's cluster, to its end; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = load_config()
        assignment = Assignment(
            config, load_collections(config.collections_file), options.collection, options.kind
        )
        session = _session(f"crossfade {options.kind} {options.collection}")
        try:
            job = run(session.sparkContext, assignment, JobOrder(options.max_rate, options.max_wcu))
        finally:
            session.stop()
    except ConfigError as error:
        return _complain(WRONG, str(error))
    except CrossfadeError as error:
        return _complain(UNREACHABLE, error.message)
    print(f"{job.kind} of {job.collection} {job.state}: {_counted(job)}")
    return WELL if job.state == FINISHED and not _is_to_mend(job) else LEFT


def run(context: Any, assignment: Assignment, order: JobOrder) -> Job:
    """Begin or join in the job, and share it out until it runs no more; the job as it is then.

    `context` is a SparkContext. Raises the errors of the stores; those of executors are Spark's.
    """
    job = asyncio.run(_begin(assignment, order))
    while job.state == RUNNING:
        left = asyncio.run(_left(assignment, job))
        tasks = max(1, min(left, TASKS_A_CORE * context.defaultParallelism))
        tickets = context.parallelize(range(max(1, left)), tasks)
        done = tickets.mapPartitions(partial(_work, assignment, job)).sum()
        job = asyncio.run(_standing(assignment)) or job
        if not done and job.state == RUNNING:
            time.sleep(1.0)  # others hold what is left, or a lease has to run out
    return job


def _session(name: str) -> Any:
    """The session of whoever submitted us; without one, this machine's cores."""
    conf = SparkConf()
    if not conf.contains("spark.master"):
        conf.setMaster("local[*]").set("spark.pyspark.python", sys.executable)
    return SparkSession.builder.config(conf=conf).appName(name).getOrCreate()


def _work(assignment: Assignment, job: Job, tickets: Iterable[int]) -> Iterator[int]:
    """On an executor: a range for each ticket, as long as there are any; how many were done."""
    yield asyncio.run(_work_on(assignment.of_worker(), job, sum(1 for _ in tickets)))


async def _work_on(assignment: Assignment, job: Job, tickets: int) -> int:
    done = 0
    async with open_site(assignment.config, assignment.collection, assignment.collections) as (site, outlook):
        while done < tickets and await work_one(site, outlook, trade_of(assignment.kind), job):
            done += 1
    return done


async def _begin(assignment: Assignment, order: JobOrder) -> Job:
    async with open_site(assignment.config, assignment.collection, assignment.collections) as (site, outlook):
        trade = trade_of(assignment.kind)
        await trade.require(site, outlook)
        return await begin(site, outlook, trade, order)


async def _left(assignment: Assignment, job: Job) -> int:
    """How many ranges are not done."""
    charter = charter_of(job)
    assert charter is not None
    async with open_site(assignment.config, assignment.collection, assignment.collections) as (site, _):
        ranges = await site.control.ranges(site.name, assignment.kind, charter.run)
        return charter.ranges - sum(one.is_done for one in ranges)


async def _standing(assignment: Assignment) -> Job | None:
    async with open_site(assignment.config, assignment.collection, assignment.collections) as (site, _):
        return await site.control.job(site.name, assignment.kind)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m proxy.spark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("collection")
    parser.add_argument("--max-rate", type=float, metavar="N", help="documents a second, of all together")
    parser.add_argument("--max-wcu", type=float, metavar="N", help="write units a second, of all together")
    return parser


def _is_to_mend(job: Job) -> bool:
    divergences = {kind.value for kind in Kind if kind.is_divergence}
    return any(job.counts.get(name) for name in (QUARANTINED, *divergences))


def _counted(job: Job) -> str:
    return ", ".join(f"{name} {amount:,}" for name, amount in sorted(job.counts.items()) if amount)


def _complain(code: int, sentence: str) -> int:
    print(f"spark: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    from proxy.spark import main as started  # executors load this module by its name, not as __main__

    sys.exit(started())

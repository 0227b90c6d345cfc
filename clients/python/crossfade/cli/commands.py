"""What each command asks of the proxy, and what it makes of the answer."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from crossfade.cli.messages import (
    as_json,
    checks_table,
    collection_lines,
    collections_table,
    divergences_table,
    dry_run_line,
    job_line,
    move_line,
    replicas_table,
)
from crossfade.cli.progress import Progress
from crossfade.cli.tables import Table
from crossfade.migration import AsyncMigrationClient, JobKind
from crossfade.v1 import migration_pb2 as pb


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command shows: `parts` for people, `data` for scripts, and whether all is well."""

    parts: tuple[Table | str, ...]
    data: Any
    is_good: bool = True


async def status(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    if arguments.collection:
        collection = await client.get_collection(arguments.collection)
        return Answer((collection_lines(collection),), as_json(collection))
    collections = await client.list_collections()
    return Answer((collections_table(collections),), [as_json(collection) for collection in collections])


async def stage(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    response = await client.move_stage(
        arguments.collection,
        arguments.stage,
        dry_run=arguments.dry_run,
        reason=arguments.reason,
        override=arguments.override,
        epoch=arguments.epoch,
        timeout=arguments.timeout,
    )
    is_safe = all(check.result in (pb.Check.PASSED, pb.Check.NOT_APPLICABLE) for check in response.checks)
    is_there = response.collection.stage == arguments.stage.value
    told = dry_run_line(response, is_safe) if arguments.dry_run else move_line(response, is_there)
    parts = (checks_table(response.checks), told)
    return Answer(parts, as_json(response), is_good=is_safe if arguments.dry_run else is_there)


async def job(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    """Both `backfill` and `verify`: only a job that was waited for can turn out not to be clean."""
    job = await client.start_job(arguments.collection, JobKind[arguments.command.upper()])
    if not arguments.wait:
        return Answer((job_line(job),), as_json(job))
    with Progress() as progress:
        job = await client.wait_for_job(job, on_progress=lambda job: progress.tell(job_line(job)))
    return Answer((job_line(job),), as_json(job), is_good=job.clean)


async def divergences(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    found = await client.list_divergences(
        collection=arguments.collection,
        kind=arguments.kind,
        state=arguments.state,
        limit=arguments.limit,
    )
    return Answer((divergences_table(found),), [as_json(divergence) for divergence in found])


async def replicas(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    found = await client.list_replicas()
    return Answer((replicas_table(found),), [as_json(replica) for replica in found])


COMMANDS: dict[str, Callable[[AsyncMigrationClient, argparse.Namespace], Awaitable[Answer]]] = {
    "status": status,
    "backfill": job,
    "verify": job,
    "stage": stage,
    "divergences": divergences,
    "replicas": replicas,
}

"""What each command asks of the proxy, and what it makes of the answer."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from crossfade.cli.alarms import alarms
from crossfade.cli.answer import Answer
from crossfade.cli.messages import (
    as_json,
    collection_lines,
    collections_table,
    divergences_table,
    job_line,
    replicas_table,
)
from crossfade.cli.moves import abort, cutover, finish, rehearse, rollback, stage
from crossfade.cli.progress import Progress
from crossfade.cli.stories import audit_table
from crossfade.migration import AsyncMigrationClient, JobKind


async def status(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    if arguments.collection:
        collection = await client.get_collection(arguments.collection)
        told = alarms([collection])
        return Answer((collection_lines(collection), *told), as_json(collection), is_good=not told)
    collections = await client.list_collections()
    told = alarms(collections)
    data = [as_json(collection) for collection in collections]
    return Answer((collections_table(collections), *told), data, is_good=not told)


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


async def audit(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    found = await client.list_audit_entries(collection=arguments.collection, limit=arguments.limit)
    return Answer((audit_table(found),), [as_json(entry) for entry in found])


COMMANDS: dict[str, Callable[[AsyncMigrationClient, argparse.Namespace], Awaitable[Answer]]] = {
    "status": status,
    "backfill": job,
    "verify": job,
    "cutover": cutover,
    "rollback": rollback,
    "rehearse": rehearse,
    "finish": finish,
    "stage": stage,
    "abort": abort,
    "divergences": divergences,
    "replicas": replicas,
    "audit": audit,
}

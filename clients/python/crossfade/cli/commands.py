"""What each command asks of the proxy, and what it makes of the answer."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from crossfade.cli.alarms import alarms
from crossfade.cli.answer import Answer
from crossfade.cli.completion import MISSING, script
from crossfade.cli.jobs import job_line, jobs_table, tell_progress
from crossfade.cli.mending import explanation_parts, is_quarantined, quarantine_table, repair_line
from crossfade.cli.messages import (
    as_json,
    collection_facts,
    collections_table,
    divergences_table,
    replicas_table,
)
from crossfade.cli.moves import abort, cutover, finish, rehearse, rollback, stage
from crossfade.cli.progress import Progress
from crossfade.cli.stories import audit_table
from crossfade.migration import AsyncMigrationClient
from crossfade.terms import DivergenceKind, DivergenceState, JobKind
from crossfade.v1 import migration_pb2 as pb


async def status(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    if arguments.collection:
        collection = await client.get_collection(arguments.collection)
        told = alarms([collection])
        return Answer((collection_facts(collection), *told), as_json(collection), is_good=not told)
    collections = await client.list_collections()
    told = alarms(collections)
    data = [as_json(collection) for collection in collections]
    return Answer((collections_table(collections), *told), data, is_good=not told)


async def job(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    """Both `backfill` and `verify`: only a job that was waited for can turn out not to be clean."""
    kind = JobKind.SAMPLE if arguments.sample else JobKind[arguments.command.upper()]
    if arguments.pause:
        job = await client.pause_job(arguments.collection, kind, reason=arguments.reason)
    else:
        job = await client.start_job(
            arguments.collection,
            kind,
            max_rate=arguments.max_rate,
            max_write_units=arguments.max_wcu,
            sample_share=arguments.sample or 0.0,
            anew=arguments.anew,
            only_resume=arguments.resume,
            reason=arguments.reason,
        )
    if not arguments.wait:
        return Answer((job_line(job),), as_json(job))
    with Progress() as progress:
        job = await client.wait_for_job(job, on_progress=lambda job: tell_progress(progress, job))
    return Answer((job_line(job),), as_json(job), is_good=job.clean)


async def jobs(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    """All backfills and verifies, or those of one collection; failed ones are not well."""
    if arguments.collection:
        collections = [await client.get_collection(arguments.collection)]
    else:
        collections = await client.list_collections()
    found = [job for one in collections for job in one.jobs if job.kind != pb.JOB_KIND_FEED]
    is_good = all(job.state != pb.JOB_STATE_FAILED for job in found)
    return Answer((jobs_table(collections),), [as_json(job) for job in found], is_good)


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


async def completion(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    """What a shell reads once; the proxy is not asked."""
    try:
        text = script(arguments.shell)
    except ImportError:
        return Answer((MISSING,), {"error": {"message": MISSING}}, is_good=False)
    return Answer((text,), {"shell": arguments.shell, "script": text})


async def repair(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    with Progress() as progress:
        done = await client.repair(
            arguments.collection,
            divergences=arguments.divergence,
            kind=arguments.kind,
            last_verify=arguments.last_verify,
            on_progress=lambda done: progress.tell(repair_line(done)),
        )
    return Answer((repair_line(done),), as_json(done), is_good=not (done.unequal or done.unnamed))


async def explain(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    found = await client.explain_divergence(arguments.collection, arguments.divergence)
    return Answer(explanation_parts(found), as_json(found))


async def quarantine(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    found = await client.list_divergences(
        collection=arguments.collection,
        kind=DivergenceKind.ERROR_PARITY,
        state=DivergenceState.OPEN,
        limit=arguments.limit,
    )
    held = [one for one in found if is_quarantined(one)]
    return Answer((quarantine_table(held),), [as_json(one) for one in held], is_good=not held)


COMMANDS: dict[str, Callable[[AsyncMigrationClient, argparse.Namespace], Awaitable[Answer]]] = {
    "status": status,
    "backfill": job,
    "verify": job,
    "repair": repair,
    "explain": explain,
    "quarantine": quarantine,
    "jobs": jobs,
    "cutover": cutover,
    "rollback": rollback,
    "rehearse": rehearse,
    "finish": finish,
    "stage": stage,
    "abort": abort,
    "divergences": divergences,
    "replicas": replicas,
    "audit": audit,
    "completion": completion,
}

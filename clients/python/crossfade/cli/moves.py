"""The commands that change a collection's stage: what each asks of the proxy, and makes of the answer."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from crossfade.cli.answer import Answer
from crossfade.cli.messages import as_json, checks_table, dry_run_line, move_line
from crossfade.cli.progress import Progress
from crossfade.cli.stories import (
    abort_line,
    holds_data,
    holds_line,
    holds_of,
    is_clean,
    rehearsal_line,
    rehearsal_report,
)
from crossfade.errors import CrossfadeError
from crossfade.migration import AsyncMigrationClient
from crossfade.terms import Stage
from crossfade.v1 import migration_pb2 as pb

_HOLDS = 200
"""How many entries of the audit are looked at for the holds so far."""


async def stage(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    """Any move to a neighbour; the last one is `finish` by another name, and asks as that does."""
    if arguments.stage is Stage.DYNAMO_ONLY:
        return await finish(client, arguments)
    response = await client.move_stage(arguments.collection, arguments.stage, **_wishes(arguments))
    return _moved(response, arguments.stage, arguments.dry_run)


async def cutover(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    response = await client.cutover(arguments.collection, **_wishes(arguments))
    return await _flipped(client, arguments, response, Stage.DYNAMO_PRIMARY)


async def rollback(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    response = await client.rollback(arguments.collection, **_wishes(arguments))
    return await _flipped(client, arguments, response, Stage.MONGO_PRIMARY)


async def finish(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    """There is no way back from here: unless told otherwise, ask for the collection's name first."""
    if not (arguments.dry_run or arguments.yes or _is_meant(arguments.collection)):
        text = f"{arguments.collection} was not finished; nothing was changed"
        return Answer((text,), {"message": text}, is_good=False)
    response = await client.move_stage(arguments.collection, Stage.DYNAMO_ONLY, **_wishes(arguments))
    return _moved(response, Stage.DYNAMO_ONLY, arguments.dry_run)


async def rehearse(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    """Cut over, and unless told otherwise wait for the way back and its report."""
    name = arguments.collection
    response = await client.rehearse(name, arguments.seconds, **_wishes(arguments))
    begun = _moved(response, Stage.DYNAMO_PRIMARY, arguments.dry_run)
    if arguments.dry_run or not response.moved:
        return begun
    if not arguments.wait:
        return Answer(
            (*begun.parts, f"rehearsal: {rehearsal_line(response.collection.rehearsal)}"), begun.data
        )
    with Progress() as progress:
        rehearsal = await client.wait_for_rehearsal(
            name, on_progress=lambda told: progress.tell(f"rehearsal of {name}: {rehearsal_line(told)}")
        )
    parts = (*begun.parts, rehearsal_report(name, rehearsal))
    return Answer(parts, as_json(rehearsal), is_good=is_clean(rehearsal))


async def abort(client: AsyncMigrationClient, arguments: argparse.Namespace) -> Answer:
    response = await client.abort(arguments.collection, reason=arguments.reason)
    return Answer((abort_line(response),), as_json(response), is_good=response.aborted)


def _wishes(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("dry_run", "reason", "override", "epoch", "timeout")
    return {name: getattr(arguments, name) for name in names}


async def _flipped(
    client: AsyncMigrationClient, arguments: argparse.Namespace, response: pb.MoveStageResponse, target: Stage
) -> Answer:
    """What became of a flip, and how it compares with those before."""
    answer = _moved(response, target, arguments.dry_run)
    if not response.moved:
        return answer
    try:
        entries = await client.list_audit_entries(collection=arguments.collection, limit=_HOLDS)
    except CrossfadeError:  # the flip is done, and that is what was asked for
        return answer
    holds = holds_of(entries)
    parts = (*answer.parts, holds_line(arguments.collection, holds))
    return Answer(parts, {**answer.data, "holds": holds_data(holds)}, answer.is_good)


def _moved(response: pb.MoveStageResponse, target: Stage, dry_run: bool) -> Answer:
    is_safe = all(check.result in (pb.Check.PASSED, pb.Check.NOT_APPLICABLE) for check in response.checks)
    is_there = response.collection.stage == target.value
    told = dry_run_line(response, is_safe) if dry_run else move_line(response, is_there)
    parts = (checks_table(response.checks), told)
    return Answer(parts, as_json(response), is_good=is_safe if dry_run else is_there)


def _is_meant(collection: str) -> bool:
    """Ask on standard error; what is not a person says no by saying nothing."""
    question = f"There is no way back from DYNAMO_ONLY. Type the collection's name to finish {collection}: "
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == collection

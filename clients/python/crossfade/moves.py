"""The verbs that move a collection from stage to stage, as the operator's client has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from crossfade.terms import Stage
from crossfade.transport import Repeat, Transport
from crossfade.v1 import migration_pb2 as pb

if TYPE_CHECKING:
    from crossfade.v1.migration_pb2_grpc import MigrationServiceAsyncStub

MOVE_TIMEOUT = 60.0
"""Seconds that a change of stage may take; it goes on by itself if they were too few."""


class StageMoves:
    """The part of AsyncMigrationClient that changes stages."""

    _transport: Transport
    _stub: MigrationServiceAsyncStub

    async def move_stage(
        self,
        collection: str,
        target: Stage,
        *,
        dry_run: bool = False,
        reason: str = "",
        override: bool = False,
        epoch: int | None = None,
        timeout: float = MOVE_TIMEOUT,
    ) -> pb.MoveStageResponse:
        """Move a collection to a neighbouring stage, or with `dry_run` only check whether that is
        safe.

        Never repeated on its own. Raises GateClosed with its `checks` if a check fails and is not
        overridden, Refused if the stage is no neighbour, EtagMismatch if `epoch` is given and past.
        """
        request = pb.MoveStageRequest(
            collection=collection,
            target=target.value,
            dry_run=dry_run,
            reason=reason,
            override=override,
            epoch=epoch,
        )
        return await self._transport.call(
            self._stub.MoveStage, request, repeat=Repeat.NEVER, writes=not dry_run, timeout=timeout
        )

    async def cutover(
        self,
        collection: str,
        *,
        dry_run: bool = False,
        reason: str = "",
        override: bool = False,
        epoch: int | None = None,
        timeout: float = MOVE_TIMEOUT,
    ) -> pb.MoveStageResponse:
        """Make DynamoDB the primary: `move_stage` from MONGO_PRIMARY to DYNAMO_PRIMARY."""
        return await self.move_stage(
            collection,
            Stage.DYNAMO_PRIMARY,
            dry_run=dry_run,
            reason=reason,
            override=override,
            epoch=epoch,
            timeout=timeout,
        )

    async def rollback(
        self,
        collection: str,
        *,
        dry_run: bool = False,
        reason: str = "",
        override: bool = False,
        epoch: int | None = None,
        timeout: float = MOVE_TIMEOUT,
    ) -> pb.MoveStageResponse:
        """Make MongoDB the primary again, from DYNAMO_PRIMARY. Raises what `move_stage` does, and Refused
        in MONGO_ONLY and DYNAMO_ONLY.
        """
        request = pb.RollbackRequest(
            collection=collection, dry_run=dry_run, reason=reason, override=override, epoch=epoch
        )
        return await self._transport.call(
            self._stub.Rollback, request, repeat=Repeat.NEVER, writes=not dry_run, timeout=timeout
        )

    async def rehearse(
        self,
        collection: str,
        seconds: float,
        *,
        dry_run: bool = False,
        reason: str = "",
        override: bool = False,
        epoch: int | None = None,
        timeout: float = MOVE_TIMEOUT,
    ) -> pb.MoveStageResponse:
        """Make DynamoDB the primary for so many seconds; the way back comes by itself.

        Returns when DynamoDB is the primary; see `wait_for_rehearsal`. Raises what `move_stage` does, and
        BadRequest for a time that is too short or longer than a day.
        """
        duration = Duration()
        duration.FromNanoseconds(round(seconds * 1e9))
        request = pb.RehearseRequest(
            collection=collection,
            duration=duration,
            dry_run=dry_run,
            reason=reason,
            override=override,
            epoch=epoch,
        )
        return await self._transport.call(
            self._stub.Rehearse, request, repeat=Repeat.NEVER, writes=not dry_run, timeout=timeout
        )

    async def abort(self, collection: str, *, reason: str) -> pb.AbortResponse:
        """End the running change of a collection, or have its rehearsal go back now.

        Raises Refused if neither is under way.
        """
        request = pb.AbortRequest(collection=collection, reason=reason)
        return await self._transport.call(self._stub.Abort, request, repeat=Repeat.UNAPPLIED, writes=True)

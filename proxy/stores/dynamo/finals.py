"""The flags of collections that are done with MongoDB, kept where they now live (`core.ports.Finals`).

One small table for all collections; an item is written once and never changes: DYNAMO_ONLY has no way on.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from proxy.core.errors import Refused, Unavailable
from proxy.core.flag import Flag
from proxy.core.stage import Stage
from proxy.stores.dynamo.failures import ConditionFailed
from proxy.stores.dynamo.transport import Transport

PATIENCE, POLL = 60.0, 0.1
"""Seconds that the table may take to become active, and between two looks at it."""

_NUMBERS = ("epoch", "published_at", "serial")


class DynamoFinals:
    """The table is created with the first flag that it has to hold."""

    def __init__(self, transport: Transport, table: str) -> None:
        self._transport = transport
        self._table = table

    async def record(self, flag: Flag) -> None:
        """Keep a DYNAMO_ONLY flag; harmless when it is kept already."""
        assert flag.stage is Stage.DYNAMO_ONLY, "only what cannot change any more is kept here"
        await self._prepare()
        item = {"collection": {"S": flag.collection}}
        item |= {name: {"N": str(getattr(flag, name))} for name in _NUMBERS}
        request = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#c)",
            "ExpressionAttributeNames": {"#c": "collection"},
        }
        try:
            await self._transport.call("PutItem", request)
        except ConditionFailed:
            return

    async def flags(self) -> list[Flag]:
        """Every flag kept; none where there is no table yet."""
        found: list[Flag] = []
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True}
        while True:
            try:
                answer = await self._transport.call("Scan", request)
            except Refused:  # no such table: no collection has come this far
                return found
            found += [_flag_of(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _prepare(self) -> None:
        """Return once the table can be written to. Raises Unavailable if that takes longer than PATIENCE.

        Every replica that learns of the first flag comes here at once: one of them makes the table, and the
        others are told that it is there already, or that it is in the making.
        """
        deadline = time.monotonic() + PATIENCE
        while (status := await self._status()) != "ACTIVE":
            if time.monotonic() > deadline:
                raise Unavailable(f"the DynamoDB table {self._table} does not become active")
            if not status and await self._create():
                continue
            await asyncio.sleep(POLL)

    async def _status(self) -> str:
        """What DynamoDB says of the table; nothing while there is none."""
        try:
            answer = await self._transport.call("DescribeTable", {"TableName": self._table})
        except Refused:
            return ""
        return str(answer["Table"]["TableStatus"])

    async def _create(self) -> bool:
        """False where another replica was quicker."""
        definition = {
            "TableName": self._table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "collection", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "collection", "KeyType": "HASH"}],
        }
        try:
            await self._transport.call("CreateTable", definition, timeout=30)
        except Refused:
            return False
        return True


def _flag_of(item: dict[str, Any]) -> Flag:
    numbers = {name: int(item[name]["N"]) for name in _NUMBERS}
    return Flag(
        collection=item["collection"]["S"],
        epoch=numbers["epoch"],
        stage=Stage.DYNAMO_ONLY,
        published_at=numbers["published_at"],
        serial=numbers["serial"],
    )

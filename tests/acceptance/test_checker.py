"""The demo's checker finds what is planted in the real stores behind the proxies' back, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pymongo import AsyncMongoClient

from examples.demo.checker import Findings, check
from examples.demo.ledger import Journal, Ledger, Name, State, Tally
from examples.demo.stack import Stack, dynamodb_client, open_stack
from proxy.core.collection import Collection
from proxy.core.document import Document
from proxy.core.keys import Key
from proxy.core.version import Record, Version
from proxy.embedded.addresses import Addresses
from proxy.stores.dynamo.codec import Codec
from proxy.stores.mongo.codec import RecordCodec

OP, OTHER_OP = b"a" * 16, b"b" * 16


def record(name: str, *, revision: int = 7, op: bytes = OP, **fields: Any) -> Record:
    key = {"deployment_key": "auth0", "webtask_container": "c", "webtask_name": name}
    document = Document({"_id": name, **key, **fields})
    return Record(Key(("auth0", "c", name)), Version(2, revision), op, (op,), document)


def tombstone(name: str) -> Record:
    return replace(record(name), document=None, deleted_at=1_700_000_000_000)


PLANTED: Mapping[str, tuple[Record | None, Record | None, str]] = {
    "equal": (record("equal", n=1), record("equal", n=1), ""),
    "type": (record("type", n=1), record("type", n=1.0), "content"),
    "order": (record("order", a=1, b=2), record("order", b=2, a=1), "content"),
    "version": (record("version", revision=8), record("version"), "version"),
    "op": (record("op", op=OTHER_OP), record("op"), "version"),
    "missing": (record("missing"), None, "only in MongoDB"),
    "extra": (None, record("extra"), "only in DynamoDB"),
    "resurrected": (record("resurrected"), tombstone("resurrected"), "only in MongoDB"),
    "deleted": (tombstone("deleted"), tombstone("deleted"), ""),
    "purged": (None, tombstone("purged"), ""),
}


async def test_every_planted_difference_is_found_and_nothing_else(
    mongodb_uri: str, dynamodb_endpoint: str
) -> None:
    addresses = Addresses(mongodb_uri=mongodb_uri, dynamodb_endpoint=dynamodb_endpoint)
    async with open_stack(addresses=addresses) as stack:
        await stack.start_proxy()  # which creates tables and indexes
        await plant(stack)
        findings = await check(stack, promises(), patience=0)
    expected = {_name(name): kind for name, (_, _, kind) in PLANTED.items() if kind}
    assert dict(findings.unequal) == expected
    judge(findings)


def promises() -> Ledger:
    """What was acknowledged: one write that is there, others that one store or both lack."""
    return Ledger(
        entries={
            _name("equal"): Tally("n", base=0, acknowledged=1),
            _name("order"): Tally("a", base=0, acknowledged=3),
            _name("missing"): State("webtask_name", "missing"),
            _name("never"): Journal(("log",), acknowledged=["x", "y"]),
        }
    )


def judge(findings: Findings) -> None:
    assert (findings.mongodb.lost, findings.dynamodb.lost, findings.lost) == (4, 5, 5)
    assert set(findings.broken) == {_name("order"), _name("missing"), _name("never")}


async def plant(stack: Stack) -> None:
    webtasks = next(one for one in stack.collections if one.name == "webtasks")
    client: AsyncMongoClient[Any] = AsyncMongoClient(stack.stores.mongodb.address)
    async with client:
        target = client[webtasks.mongo_database][webtasks.mongo_collection]
        for mongodb, _, _ in PLANTED.values():
            if mongodb is not None:
                await target.insert_one(RecordCodec(webtasks).encode(mongodb))
    dynamodb = dynamodb_client(stack.stores.dynamodb)
    for _, held, _ in PLANTED.values():
        if held is not None:
            dynamodb.put_item(TableName=webtasks.table, Item=_item(webtasks, held))


def _item(collection: Collection, held: Record) -> Any:
    return _for_boto(Codec(collection).encode(held))


def _for_boto(value: Any) -> Any:
    """boto3 wants bytes where DynamoDB's JSON has base64."""
    if isinstance(value, dict):
        return {
            name: base64.b64decode(inner) if name == "B" and isinstance(inner, str) else _for_boto(inner)
            for name, inner in value.items()
        }
    return [_for_boto(inner) for inner in value] if isinstance(value, list) else value


def _name(name: str) -> Name:
    return ("webtasks", "auth0", "c", name)

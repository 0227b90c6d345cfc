"""The alternatives, each as a competent user would write it, and the proxy itself behind a cheap client.

Direct        an application on PyMongo, with threads
Boto          an application on boto3, with threads
HandWritten   the dual write inside an application: PyMongo, then boto3, with threads
Drivers       the proxy's own drivers in a bare asynchronous loop: what a dual write costs without a proxy
Wire          calls to a gRPC server: the proxy, or an echo
Nothing       no call at all: what it takes to make the calls of Drivers or Wire, beside these
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import ClientError
from bson import Int64
from pymongo import AsyncMongoClient, MongoClient, ReturnDocument
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bench.documents import QUEUE, TENANTS, Operation, document_of, key_of
from bench.items import item_key, item_of, json_item_of
from bench.load import BlockingStep, Job, Step
from bench.messages import LATEST, METHODS, SERVICE, request_of
from bench.wire import Connection, connect
from proxy.core.document import Fields
from proxy.stores.dynamo.failures import ConditionFailed
from proxy.stores.dynamo.transport import DynamoSettings, Transport

_NEWER = "attribute_not_exists(#v) OR #v < :v"
_LATER: dict[str, Any] = {"$inc": {"due": 60_000}}


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is: MongoDB's URI, DynamoDB's endpoint, and what the direct contenders use there."""

    mongodb: str
    dynamodb: str
    database: str
    collection: str
    table: str


def update_of(number: int) -> dict[str, Any]:
    """The change of a conditional update; the version is how a hand-written dual write orders its puts."""
    return {"$inc": {"runs": 1, "version": Int64(1)}, "$set": {"owner": f"someone-{number}@example.com"}}


def expected(number: int) -> dict[str, Any]:
    return {**key_of(number), "state": "waiting"}


class Direct:
    """PyMongo alone."""

    is_blocking = True

    def __init__(self, places: Places) -> None:
        self._places = places

    async def open(self) -> None:
        self._client: MongoClient[Fields] = MongoClient(self._places.mongodb)
        self.collection = self._client[self._places.database][self._places.collection]

    async def close(self) -> None:
        self._client.close()

    def step(self, job: Job, operation: Operation, number: int) -> BlockingStep:
        found = self.collection
        match operation:
            case Operation.READ:
                return lambda: _present(found.find_one(key_of(number)))
            case Operation.LIST:
                tenant = {"tenant": f"tenant-{number % TENANTS}"}
                return lambda: list(found.find(tenant).sort("name").limit(20))
            case Operation.INSERT:
                document = document_of(number)
                return lambda: found.insert_one(document)
            case Operation.REWRITE:
                return lambda: (found.find_one(key_of(number)), self._update(number))
            case Operation.RESERVE:
                due = {"tenant": QUEUE, "due": {"$lte": LATEST}}
                return lambda: _present(found.find_one_and_update(due, _LATER, sort=[("due", 1)]))
            case _:
                return lambda: self._update(number)

    def _update(self, number: int) -> Fields:
        return _present(
            self.collection.find_one_and_update(
                expected(number), update_of(number), return_document=ReturnDocument.AFTER
            )
        )


class Boto:
    """boto3 alone."""

    is_blocking = True

    def __init__(self, places: Places) -> None:
        self._places = places

    async def open(self) -> None:
        self.client = boto3.client(
            "dynamodb",
            endpoint_url=self._places.dynamodb,
            region_name="us-east-1",
            config=Config(max_pool_connections=128, retries={"mode": "standard"}),
        )
        self._deserialize = TypeDeserializer().deserialize

    async def close(self) -> None:
        self.client.close()

    def step(self, job: Job, operation: Operation, number: int) -> BlockingStep:
        match operation:
            case Operation.READ:
                return lambda: self._read(number)
            case Operation.LIST:
                return lambda: self._list(number)
            case Operation.INSERT:
                return lambda: self.put(document_of(number))
            case Operation.REWRITE:
                return lambda: self._rewrite(number)
            case _:
                return lambda: self._update(number)

    def put(self, document: Fields) -> None:
        """Put over an older version; a newer one is left alone."""
        try:
            self.client.put_item(
                TableName=self._places.table,
                Item=item_of(document),
                ConditionExpression=_NEWER,
                ExpressionAttributeNames={"#v": "version"},
                ExpressionAttributeValues={":v": {"N": str(document.get("version", 0))}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def _read(self, number: int) -> Fields:
        found = self.client.get_item(TableName=self._places.table, Key=item_key(number), ConsistentRead=True)
        return {name: self._deserialize(value) for name, value in found["Item"].items()}

    def _rewrite(self, number: int) -> None:
        self._read(number)
        self._update(number)

    def _list(self, number: int) -> list[Fields]:
        found = self.client.query(
            TableName=self._places.table,
            KeyConditionExpression="tenant = :t",
            ExpressionAttributeValues={":t": {"S": f"tenant-{number % TENANTS}"}},
            Limit=20,
            ConsistentRead=True,
        )
        return [{name: self._deserialize(value) for name, value in item.items()} for item in found["Items"]]

    def _update(self, number: int) -> None:
        self.client.update_item(
            TableName=self._places.table,
            Key=item_key(number),
            UpdateExpression="SET #o = :o ADD runs :one",
            ConditionExpression="#s = :s",
            ExpressionAttributeNames={"#o": "owner", "#s": "state"},
            ExpressionAttributeValues={
                ":o": {"S": f"someone-{number}@example.com"},
                ":one": {"N": "1"},
                ":s": {"S": "waiting"},
            },
        )


class HandWritten:
    """The dual write inside an application: the post-image that MongoDB returns is put into DynamoDB."""

    is_blocking = True

    def __init__(self, places: Places) -> None:
        self._mongo = Direct(places)
        self._dynamo = Boto(places)

    async def open(self) -> None:
        await self._mongo.open()
        await self._dynamo.open()

    async def close(self) -> None:
        await self._mongo.close()
        await self._dynamo.close()

    def step(self, job: Job, operation: Operation, number: int) -> BlockingStep:
        first = self._mongo.step(job, operation, number)
        if operation in (Operation.READ, Operation.LIST):
            return first
        if operation is Operation.INSERT:
            document = document_of(number)
            return lambda: self._insert(document)
        if operation is Operation.REWRITE:
            return lambda: self._dynamo.put(first()[1])  # type: ignore[index]
        return lambda: self._dynamo.put(first())  # type: ignore[arg-type]

    def _insert(self, document: Fields) -> None:
        self._mongo.collection.insert_one(document)
        self._dynamo.put(document)


class Drivers:
    """The proxy's own drivers without the proxy: asynchronous PyMongo, then the lean DynamoDB transport."""

    is_blocking = False

    def __init__(self, places: Places) -> None:
        self._places = places

    async def open(self) -> None:
        self._client: AsyncMongoClient[Fields] = AsyncMongoClient(self._places.mongodb)
        database = self._client[self._places.database]
        self._collection = database.get_collection(
            self._places.collection,
            write_concern=WriteConcern("majority", wtimeout=5_000),
            read_concern=ReadConcern("majority"),
        )
        self._transport = Transport(DynamoSettings(endpoint=self._places.dynamodb))

    async def close(self) -> None:
        await self._transport.close()
        await self._client.close()

    def step(self, job: Job, operation: Operation, number: int) -> Step:
        match operation:
            case Operation.READ:
                return lambda: self._read(number)
            case Operation.LIST:
                return lambda: self._list(number)
            case Operation.INSERT:
                return lambda: self._insert(document_of(number))
            case Operation.REWRITE:
                return lambda: self._rewrite(number)
            case Operation.RESERVE:
                return self._reserve
            case _:
                return lambda: self._update(number)

    async def _read(self, number: int) -> Fields:
        return _present(await self._collection.find_one(key_of(number)))

    async def _list(self, number: int) -> list[Fields]:
        cursor = self._collection.find({"tenant": f"tenant-{number % TENANTS}"}).sort("name").limit(20)
        return await cursor.to_list()

    async def _insert(self, document: Fields) -> None:
        await self._collection.insert_one(document)
        await self._put(document)

    async def _rewrite(self, number: int) -> None:
        await self._read(number)
        await self._update(number)

    async def _update(self, number: int) -> None:
        after = await self._collection.find_one_and_update(
            expected(number), update_of(number), return_document=ReturnDocument.AFTER
        )
        await self._put(_present(after))

    async def _reserve(self) -> None:
        after = await self._collection.find_one_and_update(
            {"tenant": QUEUE, "due": {"$lte": LATEST}},
            _LATER,
            sort=[("due", 1)],
            return_document=ReturnDocument.AFTER,
        )
        await self._put(_present(after))

    async def _put(self, document: Fields) -> None:
        request = {
            "TableName": self._places.table,
            "Item": json_item_of(document),
            "ConditionExpression": _NEWER,
            "ExpressionAttributeNames": {"#v": "version"},
            "ExpressionAttributeValues": {":v": {"N": str(document.get("version", 0))}},
        }
        with suppress(ConditionFailed):  # a newer version is there
            await self._transport.call("PutItem", request)


class Wire:
    """Calls to gRPC servers, by one connection to each."""

    is_blocking = False

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._addresses = addresses

    async def open(self) -> None:
        self._connections = [await connect(address) for address in self._addresses]
        self._turn: Callable[[], Connection] = itertools.cycle(self._connections).__next__

    async def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def step(self, job: Job, operation: Operation, number: int) -> Step:
        connection = self._turn()
        if operation is Operation.REWRITE:
            read = self.step(job, Operation.READ, number)
            update = self.step(job, Operation.UPDATE, number)
            return lambda: _both(read, update)
        path = SERVICE + METHODS[operation]
        message = request_of(job.collection, operation, number, job.size_kb)
        return lambda: connection.call(path, message)


class Nothing:
    """Steps that end at once: the load generator by itself."""

    is_blocking = False

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def step(self, job: Job, operation: Operation, number: int) -> Step:
        return _nothing


async def _nothing() -> None: ...


async def _both(first: Step, second: Step) -> None:
    await first()
    await second()


def _present(found: Fields | None) -> Fields:
    if found is None:
        raise LookupError("there is no such document")
    return found

"""Client CPU of one DynamoDB call: the proxy's transport beside boto3.

    python -m bench.dynamo_transport --endpoint http://127.0.0.1:8000 [--calls 4000]

Prints a table of process CPU (user and system, microseconds) for each put and get of one item with 15 fields,
best of twenty rounds, so that a busy machine counts less. The server's CPU is not in it; the credentials are
those of the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import boto3
import uvloop

from proxy.stores.dynamo.transport import DynamoSettings, Transport

ROUNDS = 20
FIELDS = {f"field_{number}": {"S": f"value {number}"} for number in range(12)}
ITEM = {"pk": {"S": "auth0/mycontainer"}, "sk": {"S": "mywebtask"}, "n": {"N": "42"}, **FIELDS}
KEY = {"pk": ITEM["pk"], "sk": ITEM["sk"]}


def table_definition(name: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in KEY],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    }


def best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(ROUNDS)) * 1e6


def boto3_costs(settings: DynamoSettings, table: str, calls: int) -> tuple[float, float]:
    client = boto3.client("dynamodb", endpoint_url=settings.endpoint, region_name=settings.region)

    def cost(call: Callable[[], Any]) -> float:
        started = time.process_time()
        for _ in range(calls):
            call()
        return (time.process_time() - started) / calls

    put = best(lambda: cost(lambda: client.put_item(TableName=table, Item=ITEM)))
    get = best(lambda: cost(lambda: client.get_item(TableName=table, Key=KEY, ConsistentRead=True)))
    return put, get


async def transport_costs(settings: DynamoSettings, table: str, calls: int) -> tuple[float, float]:
    transport = Transport(settings)
    put = {"TableName": table, "Item": ITEM}
    get = {"TableName": table, "Key": KEY, "ConsistentRead": True}

    async def cost(call: Callable[[], Awaitable[Any]]) -> float:
        started = time.process_time()
        for _ in range(calls):
            await call()
        return (time.process_time() - started) / calls

    async def best_of(call: Callable[[], Awaitable[Any]]) -> float:
        return min([await cost(call) for _ in range(ROUNDS)]) * 1e6

    try:
        await transport.call("PutItem", put)
        return (
            await best_of(lambda: transport.call("PutItem", put)),
            await best_of(lambda: transport.call("GetItem", get)),
        )
    finally:
        await transport.close()


async def with_table(settings: DynamoSettings, calls: int) -> None:
    table = f"bench_{uuid.uuid4().hex[:8]}"
    transport = Transport(settings)
    await transport.call("CreateTable", table_definition(table), timeout=30)
    try:
        rows = {
            "proxy transport": await transport_costs(settings, table, calls // ROUNDS),
            "boto3": await asyncio.to_thread(boto3_costs, settings, table, calls // ROUNDS // 4),
        }
    finally:
        await transport.call("DeleteTable", {"TableName": table})
        await transport.close()
    print(f"{'client CPU per call, us':<26}{'put':>8}{'get':>8}")
    for name, (put, get) in rows.items():
        print(f"{name:<26}{put:>8.0f}{get:>8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--endpoint")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--calls", type=int, default=4000, help="in all, over the rounds")
    options = parser.parse_args()
    settings = DynamoSettings(region=options.region, endpoint=options.endpoint)
    uvloop.run(with_table(settings, options.calls))


if __name__ == "__main__":
    main()

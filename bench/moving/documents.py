"""The documents that are there before anything is moved: of mixed sizes and of every type that BSON has."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from pymongo import AsyncMongoClient

SIZES = ((0.60, 250), (0.30, 900), (0.09, 4_000), (0.01, 30_000))
"""The share of the documents whose longest string has about so many characters."""
BATCH = 1_000

Fields = dict[str, Any]


def name_of(number: int) -> str:
    return f"task-{number:07}"


def key_of(number: int) -> Fields:
    """The key fields of a document."""
    return {
        "deployment_key": f"deployment-{number % 50:02}",
        "webtask_container": f"container-{number % 7}",
        "webtask_name": name_of(number),
    }


def document(number: int) -> Fields:
    """The same document for the same number, always."""
    dice = random.Random(number)
    return {
        "_id": ObjectId(number.to_bytes(12, "big")),
        **key_of(number),
        "text": _text(dice),
        "count": dice.randrange(1_000),
        "total": Int64(dice.randrange(1 << 40)),
        "share": dice.random() + 0.001,
        "price": Decimal128(f"{dice.randrange(100_000)}.{dice.randrange(100):02}"),
        "enabled": dice.random() < 0.5,
        "created": DatetimeMS(1_500_000_000_000 + dice.randrange(10**9)),
        "owner": ObjectId(dice.randbytes(12)),
        "token": Binary(dice.randbytes(24)),
        "tags": ["red", "green", dice.randrange(9)],
        "meta": {"region": "eu", "tier": {"name": "free", "level": dice.randrange(5)}},
        "error": None,
    }


async def insert(client: AsyncMongoClient[Any], database: str, collection: str, total: int) -> None:
    """Put them there as a service does that knows nothing of the proxy."""
    documents = client[database][collection]
    numbers = iter(range(total))
    while batch := list(itertools.islice(numbers, BATCH)):
        await documents.insert_many([document(number) for number in batch], ordered=False)


def _text(dice: random.Random) -> str:
    """Words, and few of them twice."""
    [size] = dice.choices([size for _, size in SIZES], [share for share, _ in SIZES])
    length = int(size * dice.uniform(0.5, 1.5))
    return dice.randbytes(length // 2 + 1).hex()[:length]


def spread(total: int, count: int) -> Iterator[int]:
    """So many numbers of documents, evenly over all, none of the first fiftieth, where the traffic is."""
    first = total // 50 + 1
    step = max(1, (total - first) // count)
    return itertools.islice(range(first, total, step), count)

"""What the benchmark stores: documents of a wanted size under numbered keys, and which are asked for."""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections.abc import Callable
from enum import Enum
from functools import cache

from bson import Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from proxy.core.document import Fields

TENANTS = 16
DOCUMENTS = 400
"""Of each collection, numbered from 0; a tenant has 25, of which a list of 20 reads a page."""
QUEUE = "queue"
QUEUED = 100
"""Documents that reservations take, with negative numbers."""
SIZES_KB = (0.5, 4, 64, 350)
_THETA = 0.99
_MOMENT = 1_750_000_000_000
_ENTRY = 212  # bytes of one entry of a large document, as BSON


class Operation(Enum):
    """What a workload is made of."""

    READ = "point read"
    LIST = "list of 20"
    INSERT = "insert"
    UPDATE = "conditional update"
    REWRITE = "read, then update"
    RESERVE = "reservation"
    REPLACE = "replace"


def key_of(number: int) -> Fields:
    tenant = f"tenant-{number % TENANTS}" if number >= 0 else QUEUE
    return {"tenant": tenant, "name": f"doc-{abs(number):07}"}


def document_of(number: int, size_kb: float = 0.5) -> Fields:
    """A document of about that size as BSON, with fields of the usual types."""
    fields: Fields = {
        "_id": ObjectId(),
        **key_of(number),
        "state": "waiting",
        "schedule": "*/5 * * * *",
        "due": _MOMENT + number,
        "created": DatetimeMS(_MOMENT),
        "runs": 0,
        "total_ms": Int64(123_456_789_012),
        "load": 0.75,
        "enabled": True,
        "last_error": None,
        "owner": "someone@example.com",
        "tags": ["a", "b"],
        "meta": {"region": "eu", "tier": "free"},
        "token": b"x" * 24,
        "note": "a sentence or two that somebody wrote about this, as people do; " * 3,
    }
    count = int(max(0.0, size_kb - 0.5) * 1024 / _ENTRY)
    if count:
        fields["entries"] = [_entry(place) for place in range(count)]
    return fields


def chooser(seed: int) -> Callable[[], int]:
    """Numbers of documents as YCSB chooses them: zipfian, the popular ones scattered over all tenants."""
    chance = random.Random(seed)
    weights = _cumulative()
    scattered = list(range(DOCUMENTS))
    random.Random(7).shuffle(scattered)
    return lambda: scattered[bisect(weights, chance.random() * weights[-1])]


@cache
def _cumulative() -> list[float]:
    return list(itertools.accumulate(1 / (rank + 1) ** _THETA for rank in range(DOCUMENTS - 1)))


def _entry(place: int) -> Fields:
    return {
        "number": place,
        "at": DatetimeMS(_MOMENT + place),
        "text": "the quick brown fox jumps over the lazy dog; " * 3,
        "done": False,
    }

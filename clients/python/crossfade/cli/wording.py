"""Names, times and durations of the contract, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from crossfade.v1 import migration_pb2 as pb


def time_of(time: Timestamp) -> str:
    if not time.seconds:
        return "-"
    return datetime.fromtimestamp(time.seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def name_of(enum: Any, number: int, prefix: str = "") -> str:
    """The name of a value; its number if this client is too old to know it."""
    try:
        name: str = enum.Name(number)
    except ValueError:
        return str(number)
    return name.removeprefix(prefix)


def words(name: str) -> str:
    return name.lower().replace("_", " ")


def stage_name(stage: pb.Stage) -> str:
    return name_of(pb.Stage, stage, "STAGE_")


def store_name(store: pb.Store) -> str:
    names = {pb.STORE_MONGODB: "MongoDB", pb.STORE_DYNAMODB: "DynamoDB"}
    return names.get(store, "-")


def step_name(step: pb.Step) -> str:
    return words(name_of(pb.Step, step, "STEP_"))


def seconds(duration: Duration) -> str:
    return f"{duration.ToTimedelta().total_seconds():g} s"


def milliseconds(duration: Duration) -> str:
    return f"{duration.ToTimedelta().total_seconds() * 1000:.0f} ms"

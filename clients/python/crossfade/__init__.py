"""The Python client of Crossfade: PyMongo's collections, on whichever store is the primary.

    from crossfade import AsyncClient

    async with AsyncClient("127.0.0.1:50051") as client:
        tasks = client["webtasks"]
        await tasks.update_one({"deployment_key": "auth0", ...}, {"$inc": {"version": 1}})

`Client` is the same without asyncio. Errors are in `crossfade.errors`, BSON's own types in
`crossfade.values`.
"""

from crossfade.blocking import Client, Collection, Cursor, MigrationClient
from crossfade.client import AsyncClient
from crossfade.collection import AsyncCollection
from crossfade.credentials import tls_credentials
from crossfade.cursor import AsyncCursor
from crossfade.errors import (
    AlreadyExists,
    BadRequest,
    Broken,
    BulkWriteError,
    Contended,
    CrossfadeError,
    DeadlineExceeded,
    EtagMismatch,
    GateClosed,
    InvalidDocument,
    InvalidFilter,
    InvalidUpdate,
    NoIndex,
    NotFound,
    Outcome,
    Overloaded,
    PermissionDenied,
    Reason,
    Refused,
    Unauthenticated,
    Unavailable,
    UnknownCollection,
    Unreachable,
    Unsupported,
)
from crossfade.migration import AsyncMigrationClient
from crossfade.operations import (
    ASCENDING,
    DESCENDING,
    DeleteOne,
    InsertOne,
    ReplaceOne,
    ReturnDocument,
    UpdateOne,
)
from crossfade.results import (
    BulkWriteResult,
    DeleteResult,
    Freshness,
    InsertManyResult,
    InsertOneResult,
    Mirror,
    Page,
    Plan,
    UpdateResult,
    WriteResult,
)
from crossfade.terms import DivergenceKind, DivergenceState, JobKind, JobState, Stage
from crossfade.transport import NO_RETRIES, RetryPolicy
from crossfade.values import (
    Binary,
    Bson,
    DatetimeMS,
    Document,
    Int64,
    ObjectId,
    RawDocument,
    Regex,
    Timestamp,
)

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "NO_RETRIES",
    "AlreadyExists",
    "AsyncClient",
    "AsyncCollection",
    "AsyncCursor",
    "AsyncMigrationClient",
    "BadRequest",
    "Binary",
    "Broken",
    "Bson",
    "BulkWriteError",
    "BulkWriteResult",
    "Client",
    "Collection",
    "Contended",
    "CrossfadeError",
    "Cursor",
    "DatetimeMS",
    "DeadlineExceeded",
    "DeleteOne",
    "DeleteResult",
    "DivergenceKind",
    "DivergenceState",
    "Document",
    "EtagMismatch",
    "Freshness",
    "GateClosed",
    "InsertManyResult",
    "InsertOne",
    "InsertOneResult",
    "Int64",
    "InvalidDocument",
    "InvalidFilter",
    "InvalidUpdate",
    "JobKind",
    "JobState",
    "MigrationClient",
    "Mirror",
    "NoIndex",
    "NotFound",
    "ObjectId",
    "Outcome",
    "Overloaded",
    "Page",
    "PermissionDenied",
    "Plan",
    "RawDocument",
    "Reason",
    "Refused",
    "Regex",
    "ReplaceOne",
    "RetryPolicy",
    "ReturnDocument",
    "Stage",
    "Timestamp",
    "Unauthenticated",
    "Unavailable",
    "UnknownCollection",
    "Unreachable",
    "Unsupported",
    "UpdateOne",
    "UpdateResult",
    "WriteResult",
    "tls_credentials",
]

"""A stage is where a collection is in its migration; an epoch is the number of one published stage.

Invariants: an epoch names one stage and so one primary; epochs only rise; only neighbours follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class StoreName(Enum):
    """The two stores."""

    MONGODB = "mongodb"
    DYNAMODB = "dynamodb"

    @property
    def other(self) -> StoreName:
        return StoreName.DYNAMODB if self is StoreName.MONGODB else StoreName.MONGODB


class Stage(Enum):
    """The cutover flag of a collection, in migration order."""

    MONGO_ONLY = "MONGO_ONLY"
    MONGO_PRIMARY = "MONGO_PRIMARY"
    DYNAMO_PRIMARY = "DYNAMO_PRIMARY"
    DYNAMO_ONLY = "DYNAMO_ONLY"

    @property
    def primary(self) -> StoreName:
        """The store that serves reads and decides writes."""
        mongo = self in (Stage.MONGO_ONLY, Stage.MONGO_PRIMARY)
        return StoreName.MONGODB if mongo else StoreName.DYNAMODB

    @property
    def mirror(self) -> StoreName | None:
        """The store that receives mirror writes and shadow reads, or None."""
        return _MIRRORS[self]

    @property
    def needs_mirror_to_acknowledge(self) -> bool:
        """True where a write counts only once the mirror holds it: what makes the way back lossless."""
        return self is Stage.DYNAMO_PRIMARY

    def can_move_to(self, target: Stage) -> bool:
        """True for neighbours, except that there is no way back from DYNAMO_ONLY."""
        order = list(Stage)
        return self is not Stage.DYNAMO_ONLY and abs(order.index(self) - order.index(target)) == 1

    def changes_primary_to(self, target: Stage) -> bool:
        """True when the move needs hold, fence and drain; other moves need no pause."""
        return self.primary is not target.primary


_MIRRORS = {
    Stage.MONGO_ONLY: None,
    Stage.MONGO_PRIMARY: StoreName.DYNAMODB,
    Stage.DYNAMO_PRIMARY: StoreName.MONGODB,
    Stage.DYNAMO_ONLY: None,
}


@dataclass(frozen=True, slots=True)
class Published:
    """A published stage: what a replica acts on."""

    epoch: int
    stage: Stage

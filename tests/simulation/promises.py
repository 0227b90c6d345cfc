"""What Crossfade promises, as far as a simulated world can tell: each thing that is checked has a name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Promise(Enum):
    """Each of these is checked in every world, and each is shown to be able to fail (`test_judgement`)."""

    REGISTER = "one register a key explains every answer"
    LIST = "what was appended stays, in its place, once"
    RESERVATION = "a job is one worker's at a time"
    ACKNOWLEDGED = "an acknowledged write is in the published primary"
    EQUAL = "after quiescence both stores are equal"
    UNTOUCHED = "what others wrote is as they left it"
    EPOCH = "an epoch names one primary, and epochs rise"
    FENCE = "the fence stands before a new primary is published"
    DOCUMENT = "a document's epoch never falls in a store"
    REST = "changes come to an end, and the world to rest"
    SOUND = "nothing fails in an unforeseen way"


@dataclass(frozen=True, slots=True)
class Complaint:
    """A promise that was broken, and how."""

    promise: Promise
    sentence: str

    def __str__(self) -> str:
        return f"not so: {self.promise.value}: {self.sentence}"

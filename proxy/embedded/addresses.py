"""Which stores a person asked for, read from the environment here and nowhere else below.

CROSSFADE_MONGODB_URI        a replica set that is already there
CROSSFADE_DYNAMODB_ENDPOINT  a DynamoDB that is already there
CROSSFADE_STORES             where the others come from: auto, docker or embedded
DOCKER_HOST                  Docker's own variable: where its engine listens
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Self

from proxy.embedded.missing import MissingPart

_DOCKER_SOCKET = "unix:///var/run/docker.sock"


class Origin(Enum):
    """Where a store comes from; AUTO is Docker where an engine answers, else embedded."""

    GIVEN = "given"
    AUTO = "auto"
    DOCKER = "docker"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Addresses:
    """None for a store that is to be started, by way of `origin`."""

    mongodb_uri: str | None = None
    dynamodb_endpoint: str | None = None
    origin: Origin = Origin.AUTO
    docker_host: str = _DOCKER_SOCKET

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """MissingPart when CROSSFADE_STORES is none of its three words; empty means not set."""
        return cls(
            mongodb_uri=environment.get("CROSSFADE_MONGODB_URI") or None,
            dynamodb_endpoint=environment.get("CROSSFADE_DYNAMODB_ENDPOINT") or None,
            origin=_origin(environment.get("CROSSFADE_STORES") or "auto"),
            docker_host=environment.get("DOCKER_HOST") or _DOCKER_SOCKET,
        )


def _origin(word: str) -> Origin:
    if word not in ("auto", "docker", "embedded"):
        raise MissingPart(f"CROSSFADE_STORES is {word!r}: set it to auto, docker or embedded.")
    return Origin(word)

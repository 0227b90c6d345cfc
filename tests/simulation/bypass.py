"""A service that was not moved to the proxy yet: it writes to MongoDB directly, and knows of no versions."""

from __future__ import annotations

from random import Random

from proxy.core.flag import Flag
from proxy.core.stage import StoreName
from tests.simulation.documents import FOREIGN, SHARED, document, key
from tests.simulation.shared import SharedTable


class BypassWriter:
    """Writes while MongoDB is the primary: moving it off before the cutover is its team's duty, and what it
    wrote up to the fence is the protocol's. `left` is what it last wrote under the keys that are its own."""

    def __init__(self, rng: Random, mongo: SharedTable) -> None:
        self._rng = rng
        self._mongo = mongo
        self._written = 900_000_000
        self.left: dict[str, int | None] = {}

    def act(self, flag: Flag) -> None:
        """One write, unless DynamoDB is, or is about to be, the primary."""
        if flag.stage.primary is not StoreName.MONGODB or self._mongo.fence > flag.epoch:
            return
        name = self._rng.choice((*FOREIGN, *FOREIGN, *SHARED))
        self._written += 1
        value = None if self._rng.random() < 0.25 else self._written
        content = None if value is None else document(name, n=value)
        keeps_version = self._rng.random() < 0.5
        if self._mongo.bypass(key(name), content, keeps_version) and name in FOREIGN:
            self.left[name] = value

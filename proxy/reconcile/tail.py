"""After the way back to MongoDB: what a replica that missed the hold still wrote to DynamoDB is taken back.

DynamoDB cannot be fenced. Such a write was acknowledged to nobody, because MongoDB refused it, and read by
nobody, but DynamoDB as the mirror would stay ahead. So its own feed is followed for a while too, from a
position that the drain secured, and every key found there is settled by what MongoDB holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from proxy.core.errors import CrossfadeError
from proxy.core.exchange import FeedLost
from proxy.core.keys import Key
from proxy.core.stage import StoreName
from proxy.reconcile.checkpoint import place_in, secured_kind
from proxy.reconcile.follower import Follower
from proxy.reconcile.key import Outcome
from proxy.reconcile.settler import Settler, Superseded, Told
from proxy.reconcile.site import Site

_log = logging.getLogger("crossfade.reconcile")

TAIL = 60.0
"""Seconds after the drain: longer than any call of a replica, and than most pauses of a process."""


async def follow_tail(site: Site, settler: Settler) -> None:
    """Return when the time is over, at once where there is none. What it misses, a verify finds."""
    try:
        job = await site.control.job(site.name, secured_kind(StoreName.DYNAMODB))
        place = place_in(job, StoreName.DYNAMODB)
        if job is None or place is None:
            return

        async def settle(keys: Sequence[Key], _: bool, __: Told) -> list[Outcome]:
            """At rest: most of what is found are mirror writes of ours."""
            return await settler.settle(keys, False)

        feed = site.feeds[StoreName.DYNAMODB]
        follower = Follower(feed, place.applied, place.applied, settle, site.clock)
        left = TAIL - (site.clock.now() - job.updated_at) / 1000
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await follower.run()
    except Superseded:
        return
    except (CrossfadeError, FeedLost) as error:
        _log.warning("the old feed of %s is not followed to its end: %s", site.name, error)

"""Brings keys to their ends however long that takes: through outages, lost races and new epochs.

Only two things stop it: success, and the news that another store has become the primary.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from proxy.core.canary import canary_key
from proxy.core.comparison import Kind
from proxy.core.confirmed import Write
from proxy.core.errors import CrossfadeError
from proxy.core.exchange import FeedLost
from proxy.core.finding import Finding, identify
from proxy.core.keys import Key
from proxy.core.stage import StoreName
from proxy.reconcile.checkpoint import adopted_kind, is_recent, secured_job
from proxy.reconcile.key import Outcome, Pair, Result, reconcile
from proxy.reconcile.quarantine import Quarantine
from proxy.reconcile.rule import Cause
from proxy.reconcile.site import Site

_log = logging.getLogger("crossfade.reconcile")

LONGEST_PAUSE = 1.0


class Superseded(Exception):
    """Another store is the primary now: what was to be settled is another pass's business."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the events of a feed tell of keys by themselves.

    `buried`: a proxy deleted them, though the tombstone may be gone by now. `written`: the last write of keys
    that nobody but proxies wrote (see `core.exchange.FeedBatch`).
    """

    buried: Set[Key] = frozenset()
    written: Mapping[Key, Write] = field(default_factory=dict)


NOTHING_TOLD = Told()


class Settler:
    """Settles one collection's keys under one primary; counts what it did.

    `counts` has the results by name, and `bypass`; `bypass_at` is when the last write that bypassed the proxy
    was noticed, in milliseconds since 1970 (0: never).
    """

    def __init__(self, site: Site, pair: Pair, quarantine: Quarantine) -> None:
        self._site = site
        self._pair = pair
        self._quarantine = quarantine
        self._canary = canary_key(site.collection)
        self.counts: Counter[str] = Counter()
        self.bypass_at = 0
        self.quarantined = 0
        self._adopts_in = 0  # the epoch for which a position is kept

    async def settle(self, keys: Sequence[Key], is_fresh: bool, told: Told = NOTHING_TOLD) -> list[Outcome]:
        """The final outcome of every key but the canary's. Raises Superseded.

        Of writes that the feed tells to be proxies' own it is enough to know that the mirror has them: from
        this replica itself, or by their version. All other documents are looked at, in both stores.
        """
        keys = [key for key in keys if key != self._canary]
        sure = [Outcome(key, Result.CONFIRMED) for key in keys if self._is_confirmed(key, told)]
        ended = {outcome.key: outcome for outcome in sure}
        waiting = [key for key in keys if key not in ended]
        for key in waiting:
            self._site.confirmed.forget(key)
        arrived = await self._arrived([key for key in waiting if key in told.written], told)
        ended |= {outcome.key: outcome for outcome in arrived}
        await self._note([*sure, *arrived], told)
        waiting, pause, pair = [key for key in waiting if key not in ended], 0.0, self._pair
        while waiting:
            outcomes = await self._try(waiting, pair, is_fresh)
            final = [outcome for outcome in outcomes if outcome.is_final]
            await self._note(final, told)
            ended |= {outcome.key: outcome for outcome in final}
            waiting = [key for key in waiting if key not in ended]
            pause = 0.005 if final else min(LONGEST_PAUSE, pause * 2 or 0.01)
            if waiting:
                pair = await self._learn(outcomes, may_adopt=is_fresh)
                await asyncio.sleep(pause)
        return list(ended.values())

    def _is_confirmed(self, key: Key, told: Told) -> bool:
        write = told.written.get(key)
        return write is not None and self._site.confirmed.holds(self._pair.mirror.store, key, write)

    async def _arrived(self, keys: Sequence[Key], told: Told) -> list[Outcome]:
        """Those of the keys whose told write is the mirror's last too; none where it does not answer."""
        if not keys:
            return []
        try:
            found = await self._pair.mirror.versions(keys)
        except CrossfadeError:
            return []
        pairs = zip(keys, found, strict=True)
        return [Outcome(key, Result.EQUAL) for key, write in pairs if write == told.written[key]]

    async def _try(self, keys: Sequence[Key], pair: Pair, is_fresh: bool) -> list[Outcome]:
        try:
            return await reconcile(
                keys, pair, self._site.clock, is_fresh=is_fresh, quarantine=self._quarantine
            )
        except CrossfadeError as error:
            _log.warning("reconciling %s is waiting for a store: %s", self._site.name, error)
            return []

    async def _learn(self, outcomes: Sequence[Outcome], *, may_adopt: bool) -> Pair:
        """With what to go on. A newer epoch that is in the way is taken up, but none before it is published:
        the next primary will write under it, and what an old pass stamped with it could come late and stand
        above that. While the primary changes, what just happened is not to wait for the end of the change."""
        if all(outcome.result is not Result.OVERTAKEN for outcome in outcomes):
            return self._pair
        try:
            flag = await self._site.control.flag(self._site.name)
        except CrossfadeError as error:
            _log.warning("reconciling %s is waiting for its flag: %s", self._site.name, error)
            return self._pair
        if flag.stage.primary is not self._pair.primary.store or flag.stage.mirror is None:
            raise Superseded
        self._pair = replace(self._pair, epoch=max(flag.epoch, self._pair.epoch))
        has_fence = self._pair.primary.store is StoreName.MONGODB  # DynamoDB refuses no stamp
        is_changing = may_adopt and has_fence and flag.holds_writes and flag.epoch == self._pair.epoch
        return replace(self._pair, is_changing=is_changing and await self._may_adopt(flag.epoch))

    async def _may_adopt(self, epoch: int) -> bool:
        """Once a position is kept in the mirror's feed from before all that is adopted: what MongoDB has no
        version for is looked at again when the mirror is the primary. False where that fails."""
        if self._adopts_in != epoch:
            try:
                await self._keep_position(epoch)
            except (CrossfadeError, FeedLost) as error:
                _log.warning("reconciling %s adopts nothing yet: %s", self._site.name, error)
                return False
            self._adopts_in = epoch
        return True

    async def _keep_position(self, epoch: int) -> None:
        """The feed's tip comes first: whoever then finds no position kept has one from before the first that
        is adopted. One from a change that was aborted just now is kept on, for what was adopted then."""
        site, store = self._site, self._pair.mirror.store
        position = await site.feeds[store].tip()
        kept, now = await site.control.job(site.name, adopted_kind(store)), site.clock.now()
        if kept is None or not is_recent(kept, now):
            job = secured_job(site.name, epoch, store, position, now, is_adopted=True)
            await site.control.save_job(job)
        elif kept.epoch != epoch:
            await site.control.save_job(replace(kept, epoch=epoch))

    async def _note(self, outcomes: Sequence[Outcome], told: Told) -> None:
        signals, name = self._site.signals, self._site.name
        for result, amount in Counter(outcome.result.value for outcome in outcomes).items():
            self.counts[result] += amount
            signals.count("crossfade.reconcile.keys", amount, collection=name, outcome=result)
        if bypassed := sum(_is_bypass(outcome, told.buried) for outcome in outcomes):
            self.counts["bypass"] += bypassed
            self.bypass_at = self._site.clock.now()
            signals.count("crossfade.reconcile.bypassed", bypassed, collection=name)
        for outcome in outcomes:
            if outcome.result is Result.QUARANTINED:
                await self._report(outcome)
            elif self._quarantine.discard(outcome.key):
                await self._withdraw(outcome)

    async def _report(self, outcome: Outcome) -> None:
        self._quarantine.add(outcome.primary)
        self.quarantined += 1
        finding = Finding(
            Kind.ERROR_PARITY,
            outcome.key,
            "reconcile",
            self._pair.epoch,
            outcome.primary,
            outcome.mirror,
            f"the mirror cannot hold it: {outcome.reason}",
        )
        await self._enter(lambda: self._site.report(finding))

    async def _withdraw(self, outcome: Outcome) -> None:
        row = identify(self._site.collection, Kind.ERROR_PARITY, outcome.key)
        await self._enter(lambda: self._site.divergences.close(row, "the mirror holds it now"))

    async def _enter(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write to the divergence log until it takes it: nothing is passed on that nobody knows of."""
        while True:
            try:
                await write()
                return
            except CrossfadeError as error:
                _log.error("the divergence log of %s does not answer: %s", self._site.name, error)
                await asyncio.sleep(LONGEST_PAUSE)


def _is_bypass(outcome: Outcome, buried: Set[Key]) -> bool:
    """Whether somebody wrote past the proxy; a document that is gone without a trace may have been ours."""
    is_ours = outcome.primary is None and outcome.mirror is None and outcome.key in buried
    return outcome.cause is Cause.BYPASS and not is_ours

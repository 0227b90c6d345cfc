"""Fences are brought to where the published stage wants them, whoever died before he did it."""

from __future__ import annotations

import pytest

from proxy.core.errors import Contended, Unavailable
from proxy.core.silence import SilentSignals
from proxy.core.stage import Stage
from proxy.cutover import guard as guard_module
from proxy.cutover.guard import RESTORED, FenceGuard
from proxy.cutover.machine import BLOCKS_ALL
from tests.fixtures.waiting import until
from tests.unit.cutover.town import LEASE, Town, move, town


def guard(place: Town, name: str = "g1") -> FenceGuard:
    return FenceGuard(place.control, {"jobs": place.fence}, SilentSignals(), name, LEASE)


async def looks(place: Town, *guards: FenceGuard) -> None:
    """One heartbeat of each, to its end."""
    for one in guards:
        one.look(await place.control.flag("jobs"))
    for one in guards:
        await until(lambda one=one: not one._looking)  # type: ignore[misc]


async def test_a_fence_that_was_lowered_behind_a_flip_is_raised_again_and_told() -> None:
    async with town(Stage.MONGO_PRIMARY) as (place, _):
        assert (await move(place, Stage.DYNAMO_PRIMARY)).executed
        guards = guard(place, "g1"), guard(place, "g2")
        await looks(place, *guards)
        place.fence.height = 3
        await looks(place, *guards)
        assert place.fence.height == 4
        restored = [entry for entry in await place.control.audit("jobs", 9) if entry.action == RESTORED]
        assert [(entry.actor, entry.reason) for entry in restored] == [
            ("g1", "MongoDB's fence had fallen below epoch 4; run a verify")
        ]


async def test_an_aborted_way_back_is_no_alarm() -> None:
    """It publishes a new epoch of the old stage, and may not have come to its fence."""
    async with town(Stage.DYNAMO_PRIMARY) as (place, _):
        one = guard(place)
        place.fence.height = place.flag.epoch
        await looks(place, one)
        flag = await place.control.flag("jobs")
        await place.control.swap(flag, flag.publish(Stage.DYNAMO_PRIMARY, 0))
        await looks(place, one)
        assert place.fence.height == place.flag.epoch + 1
        assert await place.control.audit("jobs", 9) == []


@pytest.mark.parametrize(
    ("stage", "found", "wanted"),
    [(Stage.DYNAMO_ONLY, 3, BLOCKS_ALL), (Stage.MONGO_ONLY, 3, 0), (Stage.MONGO_PRIMARY, 2, 2)],
)
async def test_what_a_dead_publisher_left_is_settled_once(stage: Stage, found: int, wanted: int) -> None:
    async with town(stage) as (place, _):
        place.fence.height = found
        one = guard(place)
        await looks(place, one)
        assert place.fence.height == wanted
        await looks(place, one)
        place.fence.height = found  # nothing looks any more
        await looks(place, one)
        assert place.fence.height == found
        assert await place.control.audit("jobs", 9) == []


async def test_a_fence_is_left_alone_while_the_stage_changes() -> None:
    async with town(Stage.DYNAMO_PRIMARY) as (place, _):
        one, flag = guard(place), await place.control.flag("jobs")
        current = place.fence.current

        async def change_meanwhile() -> int:
            height = await current()
            now = await place.control.flag("jobs")
            await place.control.swap(now, now.publish(Stage.DYNAMO_PRIMARY, 0))
            return height

        place.fence.current = change_meanwhile  # type: ignore[method-assign]
        one.look(flag)
        await until(lambda: not one._looking)
        assert place.fence.raised == []


async def test_heartbeats_mind_the_fence() -> None:
    async with town(Stage.DYNAMO_PRIMARY, tended=True) as (place, _):
        await until(lambda: place.fence.height == place.flag.epoch)


async def test_a_mongodb_that_cannot_be_fenced_is_told_after_the_publication(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard_module, "PAUSE", 0.0)
    async with town(Stage.DYNAMO_ONLY) as (place, _):

        async def refuse(epoch: int) -> None:
            raise Contended("busy")

        place.fence.raise_to = refuse  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="is published, but"):
            await guard(place).settle(await place.control.flag("jobs"))

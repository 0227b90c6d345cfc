"""The machine from every interruption: whatever was done before, the next step keeps the invariants."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from proxy.core.errors import Contended, Refused
from proxy.core.flag import Change, Flag
from proxy.core.stage import Stage
from proxy.cutover.machine import BLOCKS_ALL, HOLD_LIMIT, Observation, Step, fence_after, next_step


def flag_moving(source: Stage, target: Stage, epoch: int = 7) -> Flag:
    change = Change("c1", target, "ann", "because", 0, "r1", 10_000)
    return Flag("jobs", epoch, source, 0, change=change)


def test_the_primary_moves_by_hold_fence_drain_publish() -> None:
    flag = flag_moving(Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY)
    seen = Observation()
    assert next_step(flag, seen) is Step.AWAIT_HOLD
    seen = replace(seen, is_held=True)
    assert next_step(flag, seen) is Step.RAISE_FENCE
    seen = replace(seen, fence=8)
    assert next_step(flag, seen) is Step.DRAIN
    assert next_step(flag, replace(seen, is_drained=True)) is Step.PUBLISH


def test_the_way_back_drains_before_the_fence_that_would_refuse_it() -> None:
    flag = flag_moving(Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY)
    held = Observation(is_held=True)
    assert next_step(flag, held) is Step.DRAIN
    drained = replace(held, is_drained=True)
    assert next_step(flag, drained) is Step.RAISE_FENCE
    assert next_step(flag, replace(drained, fence=8)) is Step.PUBLISH


def test_nothing_is_published_below_its_fence() -> None:
    moves = [(Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY), (Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY)]
    choices = product(moves, (False, True), (0, 7, 8, 9), (False, True), (0.0, HOLD_LIMIT + 1), (False, True))
    published = 0
    for (source, target), held, fence, drained, elapsed, abort in choices:
        seen = Observation(held, fence, drained, elapsed, abort)
        if next_step(flag_moving(source, target), seen) is Step.PUBLISH:
            published += 1
            assert held and drained and fence >= 8 and elapsed <= HOLD_LIMIT and not abort
    assert published == 4


def test_a_hold_that_takes_too_long_is_aborted() -> None:
    flag = flag_moving(Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY)
    assert next_step(flag, Observation(elapsed=HOLD_LIMIT + 0.1)) is Step.ABORT
    assert next_step(flag, Observation(is_abort_wanted=True)) is Step.ABORT


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Stage.MONGO_ONLY, Stage.MONGO_PRIMARY),
        (Stage.MONGO_PRIMARY, Stage.MONGO_ONLY),
        (Stage.DYNAMO_PRIMARY, Stage.DYNAMO_ONLY),
    ],
)
def test_a_move_that_keeps_the_primary_needs_no_pause(source: Stage, target: Stage) -> None:
    flag = flag_moving(source, target)
    assert not flag.holds_writes
    assert next_step(flag, Observation()) is Step.PUBLISH


def test_only_neighbours_follow_each_other() -> None:
    allowed = {(a, b) for a in Stage for b in Stage if a.can_move_to(b)}
    assert allowed == {
        (Stage.MONGO_ONLY, Stage.MONGO_PRIMARY),
        (Stage.MONGO_PRIMARY, Stage.MONGO_ONLY),
        (Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY),
        (Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY),
        (Stage.DYNAMO_PRIMARY, Stage.DYNAMO_ONLY),
    }


def test_publishing_raises_the_epoch_and_ends_the_change() -> None:
    flag = flag_moving(Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY)
    published = flag.publish(Stage.DYNAMO_PRIMARY, now=5)
    assert (published.epoch, published.stage, published.change) == (8, Stage.DYNAMO_PRIMARY, None)


def test_the_mirror_counts_as_kept_from_the_epoch_that_began_it() -> None:
    flag = Flag("jobs", 1, Stage.MONGO_ONLY, 0)
    mirrored = flag.publish(Stage.MONGO_PRIMARY, 1)
    flipped = mirrored.publish(Stage.DYNAMO_PRIMARY, 2)
    assert (mirrored.mirrored_since, flipped.mirrored_since) == (2, 2)
    assert mirrored.publish(Stage.MONGO_ONLY, 3).mirrored_since == 0


def test_a_second_change_or_a_distant_stage_is_refused() -> None:
    flag = flag_moving(Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY)
    change = flag.change
    assert change is not None
    with pytest.raises(Contended, match="already moving"):
        flag.begin(change)
    with pytest.raises(Refused, match="only neighbouring"):
        replace(flag, change=None, stage=Stage.MONGO_ONLY).begin(change)


def test_reads_wait_only_while_the_primary_changes() -> None:
    assert flag_moving(Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY).holds_reads
    assert flag_moving(Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY).holds_reads
    assert not flag_moving(Stage.MONGO_ONLY, Stage.MONGO_PRIMARY).holds_reads


def test_the_fence_goes_with_the_migration() -> None:
    flag = Flag("jobs", 3, Stage.MONGO_PRIMARY, 0)
    assert fence_after(flag) is None
    assert fence_after(replace(flag, stage=Stage.MONGO_ONLY)) == 0
    assert fence_after(replace(flag, stage=Stage.DYNAMO_ONLY)) == BLOCKS_ALL

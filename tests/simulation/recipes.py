"""What a seed's world is made of: most are small and made for one kind of history, some have everything.

Rare interleavings are likely only in a world that has little else. So seeds take turns with focuses; each
focus says which clients, stages and troubles there are, and the seed decides what they do. `SWARM` draws what
there is at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import TypeVar

from proxy.core.stage import Stage
from tests.simulation.history import Verb
from tests.simulation.kinds import Ambush, Focus, Trouble

T = TypeVar("T")

MIXED = (Verb.READ, Verb.READ, Verb.READ, Verb.PUT, Verb.CHANGE, Verb.CHANGE, Verb.DELETE)
READING = (Verb.READ,) * 5 + (Verb.PUT, Verb.PUT, Verb.CHANGE)
COMING_AND_GOING = (Verb.PUT, Verb.PUT, Verb.DELETE, Verb.DELETE, Verb.READ)


ROAMING = (Trouble.CRASH, Trouble.FREEZE, Trouble.CUT, Trouble.LOSE, Trouble.ISOLATE)
BACK_MOSTLY = (Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY, Stage.DYNAMO_PRIMARY)
"""On the way back, MongoDB acknowledges alone: a replica that is late misses more."""
THERE_AND_BACK = (Stage.DYNAMO_PRIMARY, Stage.MONGO_PRIMARY)
START = (Stage.MONGO_ONLY, Stage.MONGO_PRIMARY, Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One world. Times are virtual seconds. `route`: the stages that the operator goes through, None for a
    random walk; `ambushed`: out of how many ambushes at once is drawn for each change; `trouble_every`: the
    mean time between two troubles, 0 for none; `late_share`: how many messages take very long; `loss`: shares
    of lost messages, out of which each replica draws; `pause`: what clients wait on average when nothing
    happens; `nap`: how long a replica stands still over a change."""

    focus: Focus
    start: tuple[Stage, ...] = START
    route: tuple[Stage, ...] | None = None
    length: float = 21.0
    replicas: int = 3
    registers: int = 2
    lists: int = 2
    register_clients: int = 3
    verbs: tuple[Verb, ...] = MIXED
    list_clients: int = 3
    watchers: int = 2
    workers: int = 2
    mixed_clients: int = 1
    bypasses: bool = True
    ambushes: tuple[Ambush, ...] = tuple(Ambush)
    ambushed: tuple[int, ...] = (0, 1, 1, 2, 2)
    troubles: tuple[Trouble, ...] = ROAMING
    trouble_every: float = 5.0
    late_share: float = 0.02
    loss: tuple[float, ...] = (0.0, 0.01, 0.04)
    pause: float = 0.9
    nap: tuple[float, float] = (0.9, 2.2)


def _small(focus: Focus, *ambushes: Ambush) -> Recipe:
    """One change of the primary, one ambush, one or two hot registers."""
    return Recipe(
        focus,
        start=(Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY),
        route=THERE_AND_BACK,
        length=4.5,
        lists=0,
        registers=1,
        register_clients=6,
        list_clients=0,
        watchers=0,
        workers=0,
        mixed_clients=0,
        bypasses=False,
        ambushes=ambushes,
        ambushed=(1,),
        trouble_every=0.0,
        late_share=0.0,
        loss=(0.0, 0.0, 0.01),
    )


def _anything(dice: Random) -> Recipe:
    return Recipe(Focus.ANYTHING)


def _swarm(dice: Random) -> Recipe:
    return Recipe(
        Focus.SWARM,
        length=dice.choice([8.0, 8.0, 15.0, 21.0]),
        replicas=dice.choice([2, 3, 3, 4]),
        registers=dice.choice([1, 2, 4]),
        lists=1,
        register_clients=dice.choice([2, 4, 6]),
        verbs=dice.choice([MIXED, READING, COMING_AND_GOING]),
        list_clients=dice.choice([0, 2, 3]),
        watchers=dice.choice([0, 2]),
        workers=dice.choice([0, 2]),
        mixed_clients=dice.choice([0, 1]),
        bypasses=dice.random() < 0.4,
        ambushes=_some(dice, tuple(Ambush)),
        ambushed=dice.choice([(0,), (1,), (1,), (2,)]),
        troubles=_some(dice, ROAMING),
        trouble_every=dice.choice([0.0, 0.0, 2.0, 5.0]),
        late_share=dice.choice([0.0, 0.02, 0.1]),
        pause=dice.choice([0.3, 0.9]),
    )


def _hands_full(dice: Random) -> Recipe:
    small = replace(_small(Focus.HANDS_FULL, Ambush.HANDS_FULL), register_clients=7)
    if dice.random() < 0.3:
        return replace(small, start=BACK_MOSTLY, verbs=READING)
    return replace(small, registers=3, register_clients=4, lists=2, list_clients=4)


def _sleeper(dice: Random) -> Recipe:
    small = replace(_small(Focus.SLEEPER, Ambush.SLEEPER), register_clients=8)
    return replace(small, verbs=dice.choice([READING, MIXED]), nap=(1.6, 2.4))


def _late_news(dice: Random) -> Recipe:
    return replace(
        _small(Focus.LATE_NEWS, *[Ambush.LATE_NEWS] * 4, Ambush.RETURN, Ambush.DEAF, Ambush.LEFT_BEHIND),
        start=BACK_MOSTLY,
        verbs=dice.choice([READING, MIXED]),
        lists=1,
        watchers=dice.choice([0, 2]),
        list_clients=2,
    )


def _newcomer(dice: Random) -> Recipe:
    small = _small(Focus.NEWCOMER, Ambush.LATE_START, Ambush.RETURN)
    return replace(small, start=BACK_MOSTLY, replicas=dice.choice([1, 2, 2]), verbs=READING)


def _late_mirror(dice: Random) -> Recipe:
    return replace(
        _small(Focus.LATE_MIRROR),
        length=6.0,
        route=dice.choice([(), None]),
        ambushed=(0,),
        registers=4,
        register_clients=8,
        verbs=COMING_AND_GOING,
        late_share=0.07,
        pause=0.15,
    )


def _leaving(dice: Random) -> Recipe:
    return replace(
        _small(Focus.LEAVING, Ambush.FORGOTTEN),
        start=(Stage.DYNAMO_PRIMARY,),
        route=(Stage.MONGO_PRIMARY, Stage.MONGO_ONLY),
        length=5.5,
        registers=2,
        verbs=dice.choice([MIXED, READING, COMING_AND_GOING]),
        lists=1,
        list_clients=3,
        nap=(1.6, 2.8),
        pause=0.3,
    )


def _reentry(dice: Random) -> Recipe:
    return replace(
        _small(Focus.REENTRY, Ambush.STRIKE, Ambush.STOP),
        start=(Stage.MONGO_PRIMARY,),
        route=(Stage.MONGO_ONLY, Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY)[: dice.choice([2, 3])],
        length=10.0,
        registers=4,
        register_clients=4,
        lists=1,
        list_clients=1,
        ambushed=(0, 1),
        bypasses=dice.random() < 0.5,
        late_share=dice.choice([0.0, 0.05]),
        troubles=ROAMING,
        trouble_every=dice.choice([0.0, 4.0]),
        pause=0.3,
    )


def _bypass(dice: Random) -> Recipe:
    return replace(
        _small(Focus.BYPASS, Ambush.STRIKE),
        start=(Stage.MONGO_PRIMARY,),
        register_clients=1,
        mixed_clients=2,
        route=None,
        length=6.0,
        bypasses=True,
        ambushed=(0, 1),
        troubles=ROAMING,
        trouble_every=dice.choice([0.0, 4.0]),
        late_share=dice.choice([0.0, 0.1]),
        pause=0.15,
    )


def _outage(dice: Random) -> Recipe:
    return replace(
        _small(Focus.OUTAGE, Ambush.MIRROR_AWAY),
        length=7.0,
        start=(Stage.MONGO_PRIMARY,),
        route=dice.choice([(), None]),
        registers=6,
        register_clients=2,
        verbs=COMING_AND_GOING,
        troubles=dice.choice([(Trouble.OUTAGE,)] * 2 + [(Trouble.OUTAGE, Trouble.FORGET)]),
        trouble_every=2.0,
        pause=1.2,
    )


RECIPES: Mapping[Focus, Callable[[Random], Recipe]] = {
    Focus.ANYTHING: _anything,
    Focus.SWARM: _swarm,
    Focus.HANDS_FULL: _hands_full,
    Focus.SLEEPER: _sleeper,
    Focus.LATE_NEWS: _late_news,
    Focus.NEWCOMER: _newcomer,
    Focus.LATE_MIRROR: _late_mirror,
    Focus.LEAVING: _leaving,
    Focus.REENTRY: _reentry,
    Focus.BYPASS: _bypass,
    Focus.OUTAGE: _outage,
}
TURNS = (*RECIPES, Focus.SWARM, Focus.ANYTHING)
"""Whose turn it is, by seed."""


def focus_of(seed: int) -> Focus:
    return TURNS[seed % len(TURNS)]


def recipe_of(seed: int) -> Recipe:
    """What the world of a seed is made of, the same everywhere."""
    return RECIPES[focus_of(seed)](Random(f"recipe {seed}"))


def seeds_of(focus: Focus) -> Iterator[int]:
    """The seeds of a focus, from the first on."""
    return (seed for seed in count(1) if focus_of(seed) is focus)


def _some(dice: Random, names: tuple[T, ...]) -> tuple[T, ...]:
    """Each with the chance of a half, and at least one."""
    return tuple(name for name in names if dice.random() < 0.5) or (dice.choice(names),)

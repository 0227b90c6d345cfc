"""The programme: every fault that `make faults` lets happen, in an order that keeps a site while it can."""

from __future__ import annotations

from functools import partial

from crossfade import Stage
from tests.faults.links import Trouble
from tests.faults.moody import Mood
from tests.faults.scenarios import (
    Scenario,
    be_moody,
    die_everywhere,
    kill_between_stores,
    kill_coordinator,
    lose_control_of_one,
    lose_dynamo,
    lose_mongo_of_one,
    lose_primary,
    stop_coordinator,
    stop_through_flip,
    time_outages,
)

DYNAMO = Stage.DYNAMO_PRIMARY
STORMY = [mood for mood in Mood if mood is not Mood.SMALL_PAGES]
"""What can befall a mirror: it is not queried."""


def _armed(name: str, moment: str, starts: Stage = Stage.MONGO_PRIMARY, is_quick: bool = False) -> Scenario:
    return Scenario(name, kill_between_stores, starts, is_quick, {"armings": {0: moment}})


def _coordinator(step: str, starts: Stage = Stage.MONGO_PRIMARY) -> Scenario:
    target = DYNAMO if starts is Stage.MONGO_PRIMARY else Stage.MONGO_PRIMARY
    way = "" if target is DYNAMO else ", on the way back"
    armings = {"armings": {0: f"cutover.{step}=kill"}}
    return Scenario(
        f"coordinator killed at {step}{way}", partial(kill_coordinator, target), starts, False, armings
    )


def _moody(what: str, share: float, *moods: Mood, starts: Stage = DYNAMO) -> Scenario:
    store = "DynamoDB" if starts is DYNAMO else "MongoDB"
    name = f"DynamoDB {what}, {store} primary"
    return Scenario(name, partial(be_moody, moods, share), starts, False, {"is_moody": True})


def _dynamo(trouble: Trouble) -> Scenario:
    is_quick = trouble is Trouble.CUT
    return Scenario(
        f"DynamoDB {trouble.value}, MongoDB primary", partial(lose_dynamo, trouble), is_quick=is_quick
    )


CUT_OFF = "one replica cut from MongoDB"
SCENARIOS = (
    # each kills a replica that is armed from its start
    _armed("killed between the stores, MongoDB primary", "pipeline.between_stores=kill@40", is_quick=True),
    _armed("killed between the stores, DynamoDB primary", "pipeline.between_stores=kill@40", DYNAMO),
    _armed("killed before the reply, DynamoDB primary", "pipeline.before_reply=kill@40", DYNAMO),
    *(_coordinator(step) for step in ("hold", "fence", "drain", "publish")),
    _coordinator("drain", DYNAMO),
    Scenario(
        "coordinator stopped at the fence, then resumed",
        stop_coordinator,
        options={"armings": {0: "cutover.fence=stop"}},
    ),
    # one site
    *(_dynamo(trouble) for trouble in (Trouble.CUT, Trouble.BLACKHOLE, Trouble.SLOW, Trouble.HALF_OPEN)),
    Scenario("what a hanging mirror costs", time_outages),
    Scenario("replica stopped through a flip, then resumed", stop_through_flip),
    Scenario(CUT_OFF, partial(lose_mongo_of_one, Trouble.CUT)),
    Scenario(f"{CUT_OFF}, hanging, on the way back", partial(lose_mongo_of_one, Trouble.BLACKHOLE), DYNAMO),
    Scenario("control database lost by one replica", lose_control_of_one, is_quick=True),
    Scenario("control database lost by one replica, on the way back", lose_control_of_one, DYNAMO),
    Scenario("all replicas killed at once", die_everywhere, DYNAMO),
    # one site behind a moody DynamoDB
    _moody("throttles", 0.2, Mood.THROTTLED),
    _moody("answers 500", 0.1, Mood.BROKEN_BEFORE, Mood.BROKEN_AFTER),
    _moody("applies and does not answer", 0.04, Mood.LOST_AFTER, Mood.SILENT_AFTER),
    _moody("gives small pages", 1.0, Mood.SMALL_PAGES),
    _moody("does all of that", 0.05, *STORMY, starts=Stage.MONGO_PRIMARY),
    # a replica set of its own
    Scenario("primary of three mongods killed, MongoDB primary", lose_primary, members=3),
    Scenario("primary of three mongods killed, DynamoDB primary", lose_primary, DYNAMO, members=3),
)

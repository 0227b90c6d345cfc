"""The programme: every fault that `make faults` lets happen, in an order that keeps a site while it can."""

from __future__ import annotations

from functools import partial

from crossfade import Stage
from tests.faults.costs import time_outages
from tests.faults.deaths import (
    die_everywhere,
    kill_coordinator,
    kill_reconciler,
    kill_replica,
    stop_coordinator,
    stop_through_flip,
    stop_with_write,
)
from tests.faults.gaps import bypass_through_flip, flip_again_and_again, roll_oplog_over, trim_stream
from tests.faults.links import Trouble
from tests.faults.moody import Mood
from tests.faults.outages import (
    be_moody,
    finish_without_mongo,
    lose_control_of_one,
    lose_dynamo,
    lose_mongo,
    lose_mongo_of_one,
    lose_primary,
    slow_mongo,
)
from tests.faults.scenario import Drama, Scenario

MONGO, DYNAMO = Stage.MONGO_PRIMARY, Stage.DYNAMO_PRIMARY
THREE: dict[str, int] = {"members": 3}
STORMY = [mood for mood in Mood if mood not in (Mood.SMALL_PAGES, Mood.TRIMMED)]
"""What can befall a mirror: it is not queried."""


def _armed(
    name: str, drama: Drama, moment: str, starts: Stage = MONGO, is_quick: bool = False, **options: object
) -> Scenario:
    store = "MongoDB" if starts is MONGO else "DynamoDB"
    return Scenario(f"{name}, {store} primary", drama, starts, is_quick, {"armings": {0: moment}, **options})


def _coordinator(step: str, starts: Stage = MONGO) -> Scenario:
    target = DYNAMO if starts is MONGO else MONGO
    name = f"coordinator killed at {step}"
    return _armed(name, partial(kill_coordinator, target), f"cutover.{step}=kill", starts)


def _moody(what: str, share: float, *moods: Mood, starts: Stage = DYNAMO) -> Scenario:
    store = "DynamoDB" if starts is DYNAMO else "MongoDB"
    name = f"DynamoDB {what}, {store} primary"
    return Scenario(name, partial(be_moody, moods, share), starts, False, {"is_moody": True})


def _dynamo(trouble: Trouble) -> Scenario:
    is_quick = trouble is Trouble.CUT
    return Scenario(
        f"DynamoDB {trouble.value}, MongoDB primary", partial(lose_dynamo, trouble), is_quick=is_quick
    )


def _mongo(trouble: Trouble, starts: Stage) -> Scenario:
    store = "MongoDB" if starts is MONGO else "DynamoDB"
    return Scenario(f"MongoDB {trouble.value}, {store} primary", partial(lose_mongo, trouble), starts)


def _cut_off(trouble: Trouble, starts: Stage) -> Scenario:
    store = "MongoDB" if starts is MONGO else "DynamoDB"
    name = f"MongoDB {trouble.value} for one replica, {store} primary"
    return Scenario(name, partial(lose_mongo_of_one, trouble), starts)


BETWEEN, BEFORE_REPLY = "pipeline.between_stores", "pipeline.before_reply"
SCENARIOS = (
    # each kills or stops a replica that is armed from its start
    _armed("killed between the stores", kill_replica, f"{BETWEEN}=kill@40", is_quick=True),
    _armed("killed between the stores", kill_replica, f"{BETWEEN}=kill@40", DYNAMO),
    _armed("killed before the reply", kill_replica, f"{BEFORE_REPLY}=kill@40", DYNAMO),
    _armed("killed as it stamps a bypassing write", kill_reconciler, "reconcile.before_restamp=kill@5"),
    _armed("stopped between the stores through a flip", stop_with_write, f"{BETWEEN}=stop@40"),
    _armed("stopped between the stores through a flip", stop_with_write, f"{BETWEEN}=stop@40", DYNAMO),
    *(_coordinator(step) for step in ("hold", "fence", "drain", "publish")),
    *(_coordinator(step, DYNAMO) for step in ("drain", "fence")),
    _armed("coordinator stopped at the fence, then resumed", stop_coordinator, "cutover.fence=stop"),
    # one site; direct writers come first, for a way back leaves a fence that keeps them out
    Scenario("a service writes past the proxy, through a flip", bypass_through_flip, is_quick=True),
    Scenario("flips there and back, and nothing else", flip_again_and_again),
    *(_dynamo(trouble) for trouble in (Trouble.CUT, Trouble.BLACKHOLE, Trouble.SLOW, Trouble.HALF_OPEN)),
    Scenario("what a mirror costs that is down, hangs or throttles", time_outages),
    Scenario("replica stopped through a flip, MongoDB primary", stop_through_flip),
    Scenario("replica stopped through a flip, DynamoDB primary", stop_through_flip, DYNAMO),
    _mongo(Trouble.CUT, MONGO),
    _mongo(Trouble.BLACKHOLE, DYNAMO),
    _mongo(Trouble.HALF_OPEN, DYNAMO),
    _cut_off(Trouble.CUT, MONGO),
    _cut_off(Trouble.BLACKHOLE, DYNAMO),
    _cut_off(Trouble.HALF_OPEN, MONGO),
    Scenario("MongoDB slow for one replica, MongoDB primary", slow_mongo),
    Scenario("control database lost by one replica, MongoDB primary", lose_control_of_one, is_quick=True),
    Scenario("control database lost by one replica, DynamoDB primary", lose_control_of_one, DYNAMO),
    Scenario("all replicas killed at once, DynamoDB primary", die_everywhere, DYNAMO),
    Scenario("MongoDB gone for good in DYNAMO_ONLY", finish_without_mongo, DYNAMO, options={"lease": 3.0}),
    # one site behind a moody DynamoDB
    _moody("throttles", 0.2, Mood.THROTTLED),
    _moody("answers 500", 0.1, Mood.BROKEN_BEFORE, Mood.BROKEN_AFTER),
    _moody("applies and does not answer", 0.04, Mood.LOST_AFTER, Mood.SILENT_AFTER),
    _moody("gives small pages", 1.0, Mood.SMALL_PAGES),
    _moody("does all of that", 0.05, *STORMY, starts=MONGO),
    _armed("the stream was trimmed", trim_stream, f"{BETWEEN}=kill@40", DYNAMO, is_moody=True),
    # a replica set of its own
    Scenario("the oplog rolled over", roll_oplog_over, mongods={"members": 1, "oplog_size": 10}),
    Scenario("primary of three mongods killed, MongoDB primary", lose_primary, mongods=THREE),
    Scenario("primary of three mongods killed, DynamoDB primary", lose_primary, DYNAMO, mongods=THREE),
)

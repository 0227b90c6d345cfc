"""Flags and replicas survive being rows, also rows of proxies that knew less, or more."""

from __future__ import annotations

from bson import Int64, decode, encode

from proxy.core.flag import Change, Flag, Rehearsal, Replica
from proxy.core.stage import Stage
from proxy.stores.mongo.rows import from_row, to_row

CHANGE = Change("c2", Stage.MONGO_PRIMARY, "ann", "end", 1_700, "r1", 1_900, rehearse_ms=30_000)
REHEARSAL = Rehearsal("c1", "ann", "friday", 1_000, 31_000, 80, 0, 0, 2)
FLAG = Flag("jobs", 4, Stage.DYNAMO_PRIMARY, 1_000, 2, 17, CHANGE, REHEARSAL)


def test_a_rehearsal_survives() -> None:
    assert from_row(Flag, decode(encode(to_row(FLAG)))) == FLAG


def test_what_an_older_proxy_left_out_has_its_default() -> None:
    row = to_row(FLAG)
    del row["rehearsal"], row["change"]["rehearse_ms"]
    flag = from_row(Flag, row)
    assert (flag.rehearsal, flag.change and flag.change.rehearse_ms) == (None, 0)
    replica = to_row(Replica("r1", "a:1", 3.0, {}, {}))
    del replica["compared"]
    assert from_row(Replica, replica).compared == {}


def test_what_a_newer_proxy_adds_is_ignored() -> None:
    row = to_row(FLAG)
    row["rehearsal"]["mood"] = row["mood"] = "good"
    assert from_row(Flag, row) == FLAG


def test_what_replicas_compared_survives() -> None:
    replica = Replica("r1", "a:1", 3.0, {"jobs": 17}, {}, 0.0, {"c1": {"MATCH": Int64(2**40), "DROPPED": 1}})
    assert from_row(Replica, decode(encode(to_row(replica)))) == replica

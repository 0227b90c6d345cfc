"""Random documents, filters and updates from small pools, so that they meet each other often. Seeded.

And their MongoDB form, written down here once more and on purpose: the tests that use it take nothing from
the adapter that they would also be testing.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from random import Random
from typing import Any

from bson import (
    Binary,
    Code,
    DatetimeMS,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)

from proxy.core import update as u
from proxy.core.filter import (
    And,
    Comparator,
    Compare,
    Contains,
    Exists,
    Filter,
    In,
    Not,
    Or,
    Prefix,
    is_about_element,
    prefix_pattern,
)

Fields = dict[str, Any]

DOUBLE_NANS = [0xFFF8_0000_0000_0000, 0x7FF8_0000_0000_0001, 0xFFF0_0000_DEAD_BEEF, 0x7FFF_FFFF_FFFF_FFFF]
DECIMAL_NANS = [0xFC << 120, 0xFC << 120 | 7, 0x7E << 120 | 5, 0x7C01 << 112 | 3, 0x7C << 120 | 2**110 - 1]
"""NaNs with signs and payloads, quiet and signalling."""

NUMBERS: list[Any] = [
    *(0, 1, -1, 2, 3, 5, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63)),
    *map(Int64, (0, 1, 2, -1, 2**31, 2**53, 2**62)),
    *(0.0, -0.0, 1.0, 1.5, -1.0, 2.0, 0.1, 2.0**53, 2.0**63, 1e300, 5e-324, 1 / 3, 123456789.123456789),
    *(float("nan"), float("inf"), float("-inf")),
    *map(Decimal128, ("0", "1", "1.0", "1.00", "-1", "2.5", "0.1", "1E+3", "-0", "0E-6176", "1E-6176")),
    *map(Decimal128, ("9007199254740993", "9.999999999999999999999999999999999E+6144", "1E+400")),
    *map(
        Decimal128, ("0.1000000000000000055511151231257827", "9223372036854775807", "12345.678901234567890")
    ),
    *(struct.unpack("<d", bits.to_bytes(8, "little"))[0] for bits in DOUBLE_NANS),
    *(Decimal128.from_bid(bits.to_bytes(16, "little")) for bits in DECIMAL_NANS),
    *map(Decimal128, ("NaN", "Infinity", "-Infinity", "0.3333333333333333333333333333333333")),
]
OTHERS: list[Any] = [
    *(None, None, True, False, "", "a", "ab", "abc", "b", "B", "é", "a\0b", "a.b", "^a", "1", "\U0001f600"),
    *(ObjectId("0" * 24), ObjectId("f" * 24), DatetimeMS(0), DatetimeMS(-1), DatetimeMS(2**60)),
    *(b"", b"a", b"ab", b"b", Binary(b"a", 5), Binary(b"a", 2), Binary(b"abcde", 0), Binary(b"\1" * 16, 4)),
    *(Timestamp(1, 1), Timestamp(2**32 - 1, 1), MinKey(), MaxKey()),
    *(Regex("a"), Regex("^a"), Regex("a", re.I), Code("f"), Code("g", {"x": 1}), Code("f", {})),
    *([], {}, [[]], [None], [1, 2], [{}], {"b": None}, {"a": 1, "b": 2}, {"b": 2, "a": 1}),
]
NAMES = ["a", "b", "c", "a", "b", "0", "1", "2", "10", "01", "d", "A", "-1", "é"]
INNER_NAMES = [*NAMES, *NAMES, "$x", "$id", "$[x"]
ODD_NAMES = ["", "a.b", "$x", "$ref", "$id"]
ODD_PATHS = ["", ".", "a.", ".a", "a..b", "$", "$[]"]


class Cases:
    """An endless supply of cases from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def value(self, depth: int = 3) -> Any:
        kind = self.random.random()
        if depth and kind < 0.2:
            return self.fields(depth - 1)
        if depth and kind < 0.45:
            return [self.value(depth - 1) for _ in range(self.random.choice((0, 1, 2, 2, 3, 4)))]
        if kind < 0.7:
            return self.number()
        return self.random.choice(OTHERS)

    def fields(self, depth: int = 3) -> Fields:
        names = [self.random.choice(NAMES) for _ in range(self.random.choice((0, 1, 2, 2, 3, 3, 4)))]
        if self.random.random() < 0.1:
            names.append(self.random.choice(ODD_NAMES))
        return {name: self.value(depth) for name in names}

    def number(self) -> Any:
        """From the pool, or of any size: a double of random bits, integers, decimals of up to 34 digits."""
        kind = self.random.random()
        if kind < 0.6:
            return self.random.choice(NUMBERS)
        if kind < 0.7:
            return self.random.uniform(-1, 1) * 10.0 ** self.random.randrange(-30, 30)
        if kind < 0.8:
            return self.random.randrange(
                -(2 ** self.random.randrange(1, 64)), 2 ** self.random.randrange(1, 64)
            )
        if kind < 0.85:
            return struct.unpack("<d", self.random.randbytes(8))[0]
        digits = self.random.randrange(10 ** self.random.randrange(35))
        return Decimal128(f"{digits}E{self.random.choice((0, -1, -2, 5, -20, 30, -6100, 6000))}")

    def path(self) -> str:
        rest = self.random.choices((0, 1, 2), (45, 40, 15))[0]
        return ".".join(self.random.choice(INNER_NAMES if at else NAMES) for at in range(rest + 1))

    def document(self) -> Fields:
        return self.fields(4)

    # filters

    def operand(self) -> Any:
        while isinstance(value := self.value(2), Regex):
            pass
        return value

    def operands(self) -> tuple[Any, ...]:
        return tuple(self.operand() for _ in range(self.random.randrange(4)))

    def condition(self, path: str) -> Filter:
        kind = self.random.random()
        if kind < 0.6:
            return Compare(path, self.random.choice(list(Comparator)), self.operand())
        if kind < 0.7:
            return In(path, self.operands())
        if kind < 0.8:
            return Prefix(path, self.random.choice(("", "a", "ab", "é", "a\0", "a.", "^", "(", "\U0001f600")))
        if kind < 0.9:
            return Exists(path, self.random.random() < 0.5)
        return Contains(path, self.operand())

    def filter(self, depth: int = 2) -> Filter:
        kind = self.random.random()
        if not depth or kind < 0.6:
            return self.condition(self.path())
        parts = tuple(self.filter(depth - 1) for _ in range(self.random.randrange(1, 4)))
        return And(parts) if kind < 0.75 else Or(parts) if kind < 0.9 else Not(parts[0])

    # updates

    def update(self) -> u.Update:
        return tuple(self.operator() for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5))))

    def operator(self) -> u.Operator:
        path = self.path() if self.random.random() < 0.98 else self.random.choice(ODD_PATHS)
        make = self.random.choice(
            (self._set, self._number, self._extreme, self._array, self._array, self._rest)
        )
        return make(path)

    def _set(self, path: str) -> u.Operator:
        kind = self.random.choice((u.Set, u.Set, u.SetOnInsert))
        made: u.Operator = kind(path, self.value(2))
        return made

    def _number(self, path: str) -> u.Operator:
        number = self.number() if self.random.random() < 0.95 else self.random.choice(OTHERS)
        return u.Inc(path, number) if self.random.random() < 0.5 else u.Mul(path, number)

    def _extreme(self, path: str) -> u.Operator:
        return u.Min(path, self.value(1)) if self.random.random() < 0.5 else u.Max(path, self.value(1))

    def _array(self, path: str) -> u.Operator:
        values = tuple(self.value(1) for _ in range(self.random.randrange(4)))
        place = self.random.choice((None, None, 0, 1, 2, -1, -2, 7, -7))
        size = self.random.choice((None, None, 0, 1, 2, -1, -2, 7))
        choices: tuple[u.Operator, ...] = (
            u.Push(path, values, place, size),
            u.AddToSet(path, values),
            u.Pull(path, values),
            u.PullWhere(path, self.where()),
            u.Pop(path, self.random.random() < 0.5),
        )
        return self.random.choice(choices)

    def where(self) -> Filter:
        """About fields in the element, or about itself, as far as MongoDB can say it."""
        kind = self.random.random()
        if kind < 0.5:
            return self.filter(1)
        if kind < 0.6:
            low, high = Comparator.GTE, Comparator.LT
            return And((Compare("", low, self.operand()), Compare("", high, self.operand())))
        return self.condition("")

    def _rest(self, path: str) -> u.Operator:
        kind = self.random.random()
        if kind < 0.5:
            return u.Unset(path)
        return u.Rename(path, self.path()) if kind < 0.9 else u.CurrentDate(path, kind < 0.95)


_COMPARISONS = {comparator: f"${comparator.value}" for comparator in Comparator}


def mongo_filter(filter: Filter) -> Fields:
    """The filter as MongoDB's query language has it."""
    match filter:
        case And(()):
            return {}
        case And(parts):
            return {"$and": [mongo_filter(part) for part in parts]}
        case Or(parts):
            return {"$or": [mongo_filter(part) for part in parts]}
        case Not(part):
            return {"$nor": [mongo_filter(part)]}
        case _:
            return {filter.path: mongo_condition(filter)}


def mongo_condition(filter: Filter) -> Fields:
    """The condition that a filter puts on its path."""
    match filter:
        case Compare(_, comparator, value):
            return {_COMPARISONS[comparator]: value}
        case In(_, values):
            return {"$in": list(values)}
        case Prefix(_, text):
            return {"$regex": prefix_pattern(text)}
        case Exists(_, exists):
            return {"$exists": exists}
        case Contains(_, value):
            return {"$elemMatch": {"$eq": value}}
        case And(parts):
            return {name: value for part in parts for name, value in mongo_condition(part).items()}
    raise AssertionError(f"{filter} has no path")


def mongo_update(update: u.Update) -> Fields | None:
    """The update as MongoDB has it; None if two operators of one kind meet on one path."""
    found: dict[str, Fields] = defaultdict(dict)
    for operator in update:
        name, value = _mongo_operator(operator)
        if operator.path in found[name]:
            return None
        found[name][operator.path] = value
    return dict(found)


def _mongo_operator(operator: u.Operator) -> tuple[str, Any]:
    match operator:
        case u.Set(_, value):
            return "$set", value
        case u.Unset():
            return "$unset", ""
        case u.Inc(_, value):
            return "$inc", value
        case u.Mul(_, value):
            return "$mul", value
        case u.Min(_, value):
            return "$min", value
        case u.Max(_, value):
            return "$max", value
        case u.Rename(_, new_path):
            return "$rename", new_path
        case u.SetOnInsert(_, value):
            return "$setOnInsert", value
        case u.AddToSet(_, values):
            return "$addToSet", {"$each": list(values)}
        case u.Pull(_, values):
            return "$pullAll", list(values)
        case u.Pop(_, first):
            return "$pop", -1 if first else 1
        case u.CurrentDate(_, as_timestamp):
            return "$currentDate", {"$type": "timestamp" if as_timestamp else "date"}
        case u.Push():
            return "$push", _mongo_push(operator)
        case u.PullWhere(_, where):
            return "$pull", mongo_condition(where) if is_about_element(where) else mongo_filter(where)


def _mongo_push(operator: u.Push) -> Fields:
    given = {"$position": operator.position, "$slice": operator.slice}
    chosen = {name: value for name, value in given.items() if value is not None}
    return {"$each": list(operator.values), **chosen}

"""What a collection is asked for, from its indexes and its recorded calls: fields fixed, then an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proxy.assess.fields import Sample
from proxy.core.collection import FieldType
from proxy.core.survey import Calls, IndexFacts, Shape, Shapes

RARE = 0.01
"""Calls that are fewer than this share of a collection's recorded calls ask for no index of their own."""


@dataclass(frozen=True, slots=True)
class Need:
    """One way of access: `equal` are fixed by equality, `order` are bounded or sorted by after them.

    `index` is the MongoDB index behind it, None where only recorded calls ask for it.
    """

    equal: tuple[str, ...]
    order: tuple[str, ...] = ()
    index: IndexFacts | None = None
    calls: int = 0

    @property
    def fields(self) -> tuple[str, ...]:
        return self.equal + self.order


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no index of DynamoDB can do what an index of MongoDB does."""

    index: IndexFacts
    reason: str


def need_of(index: IndexFacts, key: Sequence[str], sample: Sample) -> Need | Obstacle:
    """What an index is for, by the rule that equalities come first and the last field is the order.

    The fields of the key that it ends with only break ties, which every index of DynamoDB does by itself.
    """
    reason = _unlike_any(index) or _untyped(index.names, sample)
    if reason:
        return Obstacle(index, reason)
    if len(index.names) == 1 and sample.type_of(index.names[0]) is FieldType.DATE:
        return Obstacle(
            index,
            "it orders the whole collection by a date; DynamoDB orders within one partition only: "
            "declare a global index whose partition the queries fix",
        )
    names = _without_ties(index.names, key)
    if len(names) == 1:
        return Need(names, (), index)
    return Need(names[:-1], names[-1:], index)


def _without_ties(names: tuple[str, ...], key: Sequence[str]) -> tuple[str, ...]:
    for place in range(1, len(names)):
        head, tail = names[:place], names[place:]
        rest = tuple(name for name in key if name not in head)
        if head[-1] not in key and tail == rest[: len(tail)]:
            return head
    return names


def needs_of_calls(shapes: Shapes, sample: Sample) -> Iterator[Need]:
    """What frequent queries ask for, the most frequent first."""
    frequent = max(1.0, RARE * sum(calls.count for calls in shapes.values()))
    for shape, calls in sorted(shapes.items(), key=lambda entry: -entry[1].count):
        need = _need_of_call(shape, calls)
        if need is not None and calls.count >= frequent and not _untyped(need.fields, sample):
            yield need


def _need_of_call(shape: Shape, calls: Calls) -> Need | None:
    """None where no index would help: nothing is fixed, or it is no query."""
    if shape.verb in ("insert", "aggregate") or shape.is_multi or not shape.equal:
        return None
    if any(name.startswith("$") for name in shape.other):
        return None
    wanted = [name for name, _ in shape.order] or list(shape.ranged[:1])
    order = tuple(name for name in dict.fromkeys(wanted) if name not in shape.equal)
    return Need(shape.equal, order, None, calls.count)


def _unlike_any(index: IndexFacts) -> str:
    if index.words:
        return f"DynamoDB has no {' or '.join(sorted(set(index.words)))} index"
    if index.collation:
        return f"it compares by the collation {index.collation}; DynamoDB compares bytes only"
    directions = {way for _, way in index.fields[1:]}
    if len(directions) > 1:
        return "its fields go up and down; an index of DynamoDB is read in one direction"
    if dotted := [name for name in index.names if "." in name]:
        return f"{dotted[0]} is inside a document; indexes are of top-level fields: copy it to the top"
    return ""


def _untyped(names: Sequence[str], sample: Sample) -> str:
    return next((reason for name in names if (reason := why_no_key(name, sample))), "")


def why_no_key(name: str, sample: Sample) -> str:
    """Why a field cannot be part of a key or an index; '' if it can."""
    if "." in name or name.startswith("$"):
        return f"{name} is not a top-level field"
    profile = sample.fields.get(name)
    if profile is None:
        return f"no document that was read has the field {name}" if len(sample) else ""
    if profile.type is None:
        word = profile.types.most_common(1)[0][0]
        if word == "array":
            return f"{name} holds arrays, and DynamoDB indexes no elements: keep an item for each element"
        return f"{name} is mostly {word}, which no key of DynamoDB can be"
    if not profile.is_uniform:
        return f"{name} has values of several types ({_shares(profile.types, profile.present)}): agree on one"
    return ""


def _shares(types: dict[str, int], present: int) -> str:
    ordered = sorted(types.items(), key=lambda entry: -entry[1])
    return ", ".join(f"{word} {count / present:.0%}" for word, count in ordered[:4])

"""A collection as it could be declared: its key, its indexes, and what became of every index that it had.

The key is a unique index of MongoDB, whole and plain, whose fields every document has. Where several would
do, recorded calls decide (those that name the whole key); then a composed key goes before a single field,
because people made it on purpose, and `_id` before any other single field; then the fewest global indexes.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from proxy.assess.fields import Sample
from proxy.assess.naming import attribute_for, index_name, table_name
from proxy.assess.needs import Need, Obstacle, need_of, needs_of_calls, why_no_key
from proxy.assess.splitting import GLOBAL_LIMIT, LOCAL_LIMIT, Serving, Split, globals_of, split
from proxy.core.collection import Collection, FieldType
from proxy.core.declaration import declare
from proxy.core.survey import CollectionFacts, IndexFacts, Shapes

LARGEST_PARTITION = 8e9
"""Bytes of a partition with local indexes that are proposed: DynamoDB's limit is 10 GB, and data grow."""


class Becomes(Enum):
    """What an index of MongoDB becomes."""

    KEY = "key"
    SERVED = "served by the key"
    LOCAL = "local index"
    GLOBAL = "global index"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one index of MongoDB (`index` None: of calls that no index served), and why."""

    index: IndexFacts | None
    becomes: Becomes
    reason: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """`declaration` is the body of the collections file, `reasons` why, by its words; empty without a key."""

    collection: Collection | None
    declaration: Mapping[str, Any]
    reasons: Mapping[str, str]
    fates: tuple[Fate, ...]
    refused_keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.collection.name if self.collection else ""


def propose(facts: CollectionFacts, sample: Sample, shapes: Shapes, taken: Names[str]) -> Proposal:
    """`taken` are the names of collections and tables proposed already."""
    candidates, refused = _candidates(facts, sample)
    if not candidates:
        return Proposal(None, {}, {}, tuple(_needs(facts, ("_id",), sample, shapes)[0]), tuple(refused))
    best = max(candidates, key=lambda each: _merit(each, shapes, facts, sample))
    fates, needs = _needs(facts, best.names, sample, shapes)
    chosen = _split(best, needs, facts, sample)
    return _Draft(facts, sample, best, chosen, taken).finish(needs, fates, refused)


def _candidates(facts: CollectionFacts, sample: Sample) -> tuple[list[IndexFacts], list[str]]:
    """The unique indexes that can be keys, and for each other one a sentence why not."""
    fit, refused = [], []
    for index in facts.indexes:
        if not (index.is_unique or index.names == ("_id",)):
            continue
        reason = _why_not(index, sample)
        if reason:
            refused.append(f"{index.name} cannot be the key: {reason}")
        else:
            fit.append(index)
    return fit, refused


def _why_not(index: IndexFacts, sample: Sample) -> str:
    if index.is_sparse or index.only:
        return "it leaves documents out"
    if not index.is_plain_unique:
        return "it is no plain unique index"
    reason = next((why for name in index.names if (why := why_no_key(name, sample))), "")
    absent = [name for name in index.names if not sample.is_always_there(name)]
    return reason or (f"documents lack {absent[0]}" if absent else "")


def _needs(
    facts: CollectionFacts, key: Sequence[str], sample: Sample, shapes: Shapes
) -> tuple[list[Fate], list[Need]]:
    """What an index of MongoDB or a frequent call asks for; and the fate of indexes that ask for nothing."""
    called = list(needs_of_calls(shapes, sample))
    fates, needs = [], []
    for index in facts.indexes:
        if index.names == ("_id",):
            continue
        found = need_of(index, key, sample)
        if isinstance(found, Obstacle):
            fates.append(Fate(index, Becomes.NOTHING, found.reason))
        else:
            needs.append(found)
    return fates, needs + called


def _merit(
    key: IndexFacts, shapes: Shapes, facts: CollectionFacts, sample: Sample
) -> tuple[int, bool, bool, int, int]:
    named = sum(calls.count for shape, calls in shapes.items() if set(key.names) <= set(shape.equal))
    _, needs = _needs(facts, key.names, sample, shapes)
    others = [need for need in needs if need.index is None or need.index.names != key.names]
    cost = globals_of(_split(key, others, facts, sample), others)
    is_id = key.names == ("_id",)
    return named, len(key.names) > 1, is_id, -cost, -len(key.names)


def _split(key: IndexFacts, needs: Sequence[Need], facts: CollectionFacts, sample: Sample) -> Split:
    def fits_local(partition: tuple[str, ...]) -> bool:
        return sample.largest_share(partition) * facts.data_bytes <= LARGEST_PARTITION

    return split(key.names, [need for need in needs if need.fields != key.names], fits_local)


class _Draft:
    """The declaration in the making."""

    def __init__(
        self, facts: CollectionFacts, sample: Sample, key: IndexFacts, split: Split, taken: Names[str]
    ) -> None:
        self._facts, self._sample, self._key, self._split = facts, sample, key, split
        self._attributes: dict[tuple[str, ...], str] = {}
        self._indexes: dict[str, dict[str, Any]] = {}
        self._reasons: dict[str, str] = {}
        self._served: dict[tuple[Serving, tuple[str, ...]], str] = {}
        self._typed: set[str] = set(split.fields)
        self._name = table_name(facts.database, facts.name, taken)

    def finish(self, needs: Sequence[Need], fates: Sequence[Fate], refused: Sequence[str]) -> Proposal:
        body: dict[str, Any] = {
            "mongodb": self._facts.namespace,
            "partition": self._part(self._split.partition),
        }
        if self._split.sort:
            body["sort"] = self._part(self._split.sort)
        made = [self._fate(need) for need in needs]
        if types := self._types():
            body["types"] = types
        if self._indexes:
            body["indexes"] = self._indexes
        if any(each["kind"] == "global" for each in self._indexes.values()):
            body["settings"] = {"allow_eventual": True}
            self._reasons["settings"] = "global indexes read late: agree to that, or leave them out"
        self._reasons["partition"] = self._why_split(needs)
        all_fates = (self._fate_of_id(), *(fate for fate in made if fate), *fates)
        collection = declare(self._name, body)
        return Proposal(collection, body, self._reasons, tuple(f for f in all_fates if f), tuple(refused))

    def _part(self, fields: tuple[str, ...]) -> Any:
        if fields not in self._attributes:
            taken = {*self._sample.fields, *self._attributes.values()} - set(
                fields[:1] if len(fields) == 1 else ()
            )
            self._attributes[fields] = attribute_for(fields, self._key.names, taken)
        written = "/".join(fields) if not any("/" in name for name in fields) else list(fields)
        if self._attributes[fields] == "_".join(fields):
            return written
        return {"fields": written, "attribute": self._attributes[fields]}

    def _fate(self, need: Need) -> Fate | None:
        """What serves a need; None for calls that what is there already serves."""
        if need.index is not None and need.index.names == self._key.names:
            return Fate(need.index, Becomes.KEY, self._told_key(), "key")
        serving = self._split.serving(need)
        if serving is Serving.TABLE:
            reason = "its fields begin the key" if need.index else ""
            return Fate(need.index, Becomes.SERVED, reason, "key") if need.index else None
        is_new = (serving, need.fields) not in self._served
        if need.index is None and not is_new:
            return None
        if is_new and self._is_full(serving):
            limit = LOCAL_LIMIT if serving is Serving.LOCAL else GLOBAL_LIMIT
            return Fate(need.index, Becomes.NOTHING, f"DynamoDB has no more than {limit} of its kind a table")
        return self._add(need, serving)

    def _add(self, need: Need, serving: Serving) -> Fate:
        is_local = serving is Serving.LOCAL
        inner = [name for name in need.fields if name not in self._split.partition]
        name = self._served.get((serving, need.fields))
        if name is None:
            name = index_name(need.index, inner if is_local else need.fields, self._indexes)
            self._served[serving, need.fields] = name
            self._typed |= set(need.fields)
            self._indexes[name] = self._declared(need, tuple(inner), is_local=is_local)
        becomes = Becomes.LOCAL if is_local else Becomes.GLOBAL
        reason = self._why_index(need, is_local=is_local)
        self._reasons.setdefault(f"indexes.{name}", reason)
        return Fate(need.index, becomes, reason, name)

    def _declared(self, need: Need, inner: tuple[str, ...], *, is_local: bool) -> dict[str, Any]:
        if is_local:
            return {"kind": "local", "sort": self._part(inner)}
        index = {"kind": "global", "partition": self._part(need.equal)}
        return index | ({"sort": self._part(need.order)} if need.order else {})

    def _is_full(self, serving: Serving) -> bool:
        kinds = [index["kind"] for index in self._indexes.values()]
        return kinds.count(serving.value) >= (LOCAL_LIMIT if serving is Serving.LOCAL else GLOBAL_LIMIT)

    def _fate_of_id(self) -> Fate | None:
        own = next((index for index in self._facts.indexes if index.names == ("_id",)), None)
        if own is None:
            return None
        if self._key.names == ("_id",):
            return Fate(own, Becomes.KEY, self._told_key(), "key")
        return Fate(own, Becomes.NOTHING, "the documents have a key of their own; _id stays as a field")

    def _told_key(self) -> str:
        sort = f", sorted by {'/'.join(self._split.sort)}" if self._split.sort else ""
        return f"it names each document once: partition {'/'.join(self._split.partition)}{sort}"

    def _types(self) -> dict[str, str]:
        found = {name: self._sample.type_of(name) or FieldType.STRING for name in sorted(self._typed)}
        return {name: kind.value for name, kind in found.items() if kind is not FieldType.STRING}

    def _why_split(self, needs: Sequence[Need]) -> str:
        if not self._split.sort:
            return "the only field that names a document"
        local = [each for each in self._indexes.values() if each["kind"] == "local"]
        longest = len(self._split.sort) == 1
        if local and not longest:
            return (
                f"{'/'.join(self._split.partition)} alone, so that local indexes over it serve what would "
                "else cost a global one"
            )
        if longest:
            return "all of the key but its last field: what is listed together lies together"
        return "what the calls and indexes fix first"

    def _why_index(self, need: Need, *, is_local: bool) -> str:
        asked = f"the index {need.index.name}" if need.index else f"{need.calls} recorded calls"
        if is_local:
            return f"another order of the same partition, for {asked}; its reads are strong"
        extra = ""
        if need.index is not None and need.index.is_unique:
            extra = "; DynamoDB does not keep it unique"
        elif need.index is not None and need.index.only:
            extra = "; it holds every document with these fields, not only those of its filter"
        why = (
            ""
            if self._split.may_be_local or not self._split.sort
            else " (a partition would outgrow 10 GB with a local one)"
        )
        return f"a partition of its own, for {asked}{why}; its reads are late{extra}"

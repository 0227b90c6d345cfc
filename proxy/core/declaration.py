"""A collection as it is declared in plain data becomes a Collection, or one sentence says what is wrong.

Nothing is guessed: an unknown word, a value of another shape, a name that a store would refuse: all mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField
from proxy.core.settings import Mistake, settings_of

_Chosen = TypeVar("_Chosen")
_COLLECTION_WORDS = ("mongodb", "table", "partition", "sort", "types", "indexes", "settings")
_INDEX_WORDS = ("kind", "partition", "sort")
_PART_WORDS = ("fields", "attribute")
_DYNAMODB_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_RESERVED = re.compile(r"_+(cf|ttl)")
_LOCAL_LIMIT, _GLOBAL_LIMIT = 5, 20


@dataclass(frozen=True, slots=True)
class _Part:
    fields: tuple[KeyField, ...]
    attribute: str


def declare_all(data: Any) -> tuple[list[Collection], list[str]]:
    """The collections of a whole file, and its mistakes as sentences: at most one a collection."""
    try:
        declared = _mapping(data, "the file")
        _check_words(declared, ("collections", "defaults"), "")
        named = _mapping(declared.get("collections"), "collections")
        defaults = _mapping(declared.get("defaults", {}), "defaults")
        settings_of(defaults)
    except Mistake as mistake:
        return [], [str(mistake)]
    collections, mistakes = [], [] if named else ["collections names none"]
    for name, body in named.items():
        try:
            collections.append(declare(name, body, defaults))
        except Mistake as mistake:
            mistakes.append(f"{name}: {mistake}")
    return collections, mistakes + _shared(collections)


def declare(name: str, data: Any, defaults: Mapping[str, Any] | None = None) -> Collection:
    """The collection that `data` declares; `defaults` are settings that it may override. Raises Mistake."""
    _check_words(_mapping(data, ""), _COLLECTION_WORDS, "")
    types = _types(data.get("types", {}))
    key = _key(data, types)
    indexes = tuple(_indexes(data.get("indexes", {}), key, types))
    database, collection = _namespace(data.get("mongodb"))
    declared = Collection(
        name=name,
        mongo_database=database,
        mongo_collection=collection,
        table=_dynamodb_name(data.get("table", name), "table"),
        key=key,
        indexes=indexes,
        settings=settings_of({**(defaults or {}), **_mapping(data.get("settings", {}), "settings")}),
    )
    _check_types_used(declared, types)
    _check_attributes(declared)
    return declared


def _key(data: Mapping[str, Any], types: Mapping[str, FieldType]) -> Index:
    if "partition" not in data:
        raise Mistake("partition", "is missing: name the fields of the partition key")
    partition = _part(data["partition"], types, "partition")
    sort = _part(data["sort"], types, "sort") if "sort" in data else None
    return _index("key", IndexKind.TABLE, partition, sort, "sort")


def _index(name: str, kind: IndexKind, partition: _Part, sort: _Part | None, path: str) -> Index:
    fields = sort.fields if sort else ()
    twice = {field.name for field in partition.fields} & {field.name for field in fields}
    if twice:
        raise Mistake(path, f"names {min(twice)}, which is in the partition already")
    return Index(name, kind, partition.fields, fields, partition.attribute, sort.attribute if sort else None)


def _indexes(data: Any, key: Index, types: Mapping[str, FieldType]) -> Iterator[Index]:
    counts = dict.fromkeys(IndexKind, 0)
    for name, declared in _mapping(data, "indexes").items():
        index = _secondary(name, declared, key, types, f"indexes.{name}")
        counts[index.kind] += 1
        yield index
    if counts[IndexKind.LOCAL] > _LOCAL_LIMIT or counts[IndexKind.GLOBAL] > _GLOBAL_LIMIT:
        limits = f"{_LOCAL_LIMIT} local and {_GLOBAL_LIMIT} global"
        raise Mistake("indexes", f"are more than DynamoDB has for a table: {limits}")


def _secondary(name: str, data: Any, key: Index, types: Mapping[str, FieldType], path: str) -> Index:
    declared = _mapping(data, path)
    _check_words(declared, _INDEX_WORDS, path)
    if _dynamodb_name(name, path) == "key":
        raise Mistake(path, "is the name of the collection's own key: choose another")
    kind = _one_of(
        declared.get("kind"), {"local": IndexKind.LOCAL, "global": IndexKind.GLOBAL}, f"{path}.kind"
    )
    if kind is IndexKind.LOCAL:
        partition = _local_partition(declared, key, path)
    else:
        partition = _part(declared.get("partition"), types, f"{path}.partition")
    sort = _part(declared["sort"], types, f"{path}.sort") if "sort" in declared else None
    return _index(name, kind, partition, sort, f"{path}.sort")


def _local_partition(declared: Mapping[str, Any], key: Index, path: str) -> _Part:
    """A local index shares the partition of the table, which must have a sort key to have one at all."""
    if "partition" in declared:
        raise Mistake(f"{path}.partition", "cannot be set: a local index shares the table's partition")
    if "sort" not in declared:
        raise Mistake(f"{path}.sort", "is missing: a local index is another order of the same partition")
    if not key.sort:
        raise Mistake(f"{path}.kind", "cannot be local: DynamoDB wants a table with a sort key for that")
    return _Part(key.partition, key.partition_attribute)


def _part(data: Any, types: Mapping[str, FieldType], path: str) -> _Part:
    """`a/b`, a list of names, or either with an attribute of its own."""
    declared = data if isinstance(data, Mapping) else {"fields": data}
    _check_words(declared, _PART_WORDS, path)
    names = _names(declared.get("fields"), path)
    attribute = declared.get("attribute", "_".join(names))
    if not isinstance(attribute, str) or not attribute or _RESERVED.fullmatch(attribute):
        raise Mistake(f"{path}.attribute", f"cannot be {attribute!r}: it must be the name of an attribute")
    return _Part(tuple(KeyField(name, types.get(name, FieldType.STRING)) for name in names), attribute)


def _names(data: Any, path: str) -> list[str]:
    names = data.split("/") if isinstance(data, str) else data
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise Mistake(path, "must name fields: one, several joined by /, or a list")
    for name in names:
        if not name or "." in name or "\0" in name or name.startswith("$") or _RESERVED.fullmatch(name):
            raise Mistake(path, f"cannot use the field {name!r}: keys and indexes are of top-level fields")
    if len(set(names)) < len(names):
        raise Mistake(path, "names a field twice")
    return names


def _types(data: Any) -> dict[str, FieldType]:
    words = {kind.value: kind for kind in FieldType}
    return {name: _one_of(word, words, f"types.{name}") for name, word in _mapping(data, "types").items()}


def _namespace(data: Any) -> tuple[str, str]:
    database, _, collection = data.partition(".") if isinstance(data, str) else ("", "", "")
    if (
        not database
        or not collection
        or collection.startswith("system.")
        or re.search(r"[\0$/\\ \"]", database)
    ):
        raise Mistake("mongodb", "must name where the documents are in MongoDB, as database.collection")
    return database, collection


def _dynamodb_name(name: Any, path: str) -> str:
    if not isinstance(name, str) or not _DYNAMODB_NAME.fullmatch(name):
        raise Mistake(path, f"cannot be {name!r}: DynamoDB wants 3 to 255 letters, digits, dots, - and _")
    return name


def _check_types_used(collection: Collection, types: Mapping[str, FieldType]) -> None:
    unused = set(types) - {field.name for field in collection.typed_fields}
    if unused:
        raise Mistake(f"types.{min(unused)}", "is in no key and no index: only their fields have a type")


def _check_attributes(collection: Collection) -> None:
    """One attribute holds one thing: a field, or one composition of fields."""
    names: dict[str, tuple[str, ...]] = {field.name: (field.name,) for field in collection.typed_fields}
    for index in (collection.key, *collection.indexes):
        parts = [(index.partition_attribute, index.partition), (index.sort_attribute, index.sort)]
        for attribute, part in parts:
            fields = tuple(field.name for field in part)
            if attribute is not None and names.setdefault(attribute, fields) != fields:
                path = "partition" if index is collection.key else f"indexes.{index.name}"
                raise Mistake(
                    path, f"needs another attribute: {attribute} holds {'/'.join(names[attribute])}"
                )


def _shared(collections: list[Collection]) -> list[str]:
    """Collections that would write over each other's documents. DynamoDB Local ignores case in names."""
    owners: dict[tuple[str, str], str] = {}
    mistakes = []
    for collection in collections:
        namespace = f"{collection.mongo_database}.{collection.mongo_collection}"
        for word, name in (("mongodb", namespace), ("table", collection.table)):
            owner = owners.setdefault((word, name.lower()), collection.name)
            if owner != collection.name:
                mistakes.append(f"{collection.name}: {word} {name} belongs to {owner} already")
    return mistakes


def _check_words(data: Mapping[str, Any], words: tuple[str, ...], path: str) -> None:
    for word in data:
        if word not in words:
            raise Mistake(f"{path}.{word}".strip("."), f"is not a setting: there are {', '.join(words)}")


def _mapping(data: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise Mistake(path, "must be a map of names")
    return data


def _one_of(word: Any, choices: Mapping[str, _Chosen], path: str) -> _Chosen:
    if not isinstance(word, str) or word not in choices:
        raise Mistake(path, f"must be one of {', '.join(choices)}")
    return choices[word]

"""What a collection makes in both stores, in words for a person to read before it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proxy.core.collection import Collection, FieldType, Index, IndexKind, KeyField


def outline(collection: Collection) -> Iterator[str]:
    """The lines that describe a collection's table, indexes and unique index, the name first."""
    yield collection.name
    yield f"  MongoDB     {collection.mongo_database}.{collection.mongo_collection}"
    yield f"    unique index  {_listed(collection.key_fields)}"
    for index in collection.indexes:
        yield f"    index         {_listed(index.fields)}  (serves {index.name})"
    yield f"  DynamoDB    table {collection.table}"
    yield from _describe_key(collection.key)
    for index in collection.indexes:
        reads = "strong reads" if index.kind is IndexKind.LOCAL else "late reads"
        yield f"    {index.kind.value} index {index.name}  ({reads}, keys only)"
        yield from _describe_key(index)


def _describe_key(index: Index) -> Iterator[str]:
    yield f"      partition   {_part(index.partition_attribute, index.partition)}"
    if index.sort_attribute is not None:
        yield f"      sort        {_part(index.sort_attribute, index.sort)}"


def _part(attribute: str, fields: Sequence[KeyField]) -> str:
    is_number = len(fields) == 1 and fields[0].type is FieldType.NUMBER
    made = "/".join(field.name for field in fields)
    origin = "" if made == attribute else f"  = {made}"
    return f"{attribute} ({'N' if is_number else 'S'}){origin}"


def _listed(fields: Sequence[KeyField]) -> str:
    return ", ".join(f"{field.name} ({field.type.value})" for field in fields)

"""Finding documents of a plan: which ranges of which index to read, and from where."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from proxy.core.collection import IndexKind
from proxy.core.errors import Broken
from proxy.core.exchange import Page
from proxy.core.keyrange import KeyRange, key_range
from proxy.core.keys import Key
from proxy.core.query import PageRequest, Plan, Position
from proxy.stores.dynamo.codec import Codec
from proxy.stores.dynamo.reading import Reader
from proxy.stores.dynamo.values import Item
from proxy.stores.dynamo.walk import Row, Walk, over_budget

Batches = AsyncGenerator[list[Item], None]


class Finder:
    """Finds documents of one collection."""

    def __init__(self, reader: Reader, codec: Codec) -> None:
        self._reader = reader
        self._codec = codec

    async def page(self, plan: Plan, page: PageRequest) -> Page:
        """One page; Refused (NO_INDEX) where the budget does not reach even one place further."""
        walk = Walk(plan, page)
        async with aclosing(self._batches(plan, page)) as batches:
            async for batch in batches:
                for item in batch:
                    walk.add(self._row(plan, item))
                    if walk.is_over:
                        return walk.page()
        walk.finish()
        return walk.page()

    async def count(self, plan: Plan, scan_budget: int) -> int:
        """How many documents the plan selects. Refused (NO_INDEX) beyond the budget."""
        read, selected = 0, 0
        async with aclosing(self._batches(plan, PageRequest(scan_budget))) as batches:
            async for batch in batches:
                read += len(batch)
                if read > scan_budget:
                    raise over_budget(scan_budget)
                selected += sum(self._row(plan, item).is_selected_by(plan) for item in batch)
        return selected

    async def candidates(self, plan: Plan, limit: int) -> list[Key]:
        """Keys of the first rows of the plan's secondary index, unread and unfiltered; all if fewer."""
        keys = key_range(plan)
        if keys.is_empty:
            return []
        found: list[Key] = []
        async with aclosing(self._reader.query(plan, keys, limit, keys_only=True)) as batches:
            async for batch in batches:
                found += map(self._codec.layout.key_of_item, batch)
                if len(found) >= limit:
                    break
        return found[:limit]

    def _batches(self, plan: Plan, page: PageRequest) -> Batches:
        """The items to look at: in the order of key texts from the position on, or else all of them."""
        if plan.index is None:
            return self._reader.scan()
        keys, after = key_range(plan), None
        if page.after is not None and plan.is_in_text_order:
            if plan.index.kind is IndexKind.TABLE:
                after = page.after.key
            else:
                keys = self._from_group(plan, keys, page.after)
        if keys.is_empty:
            return _nothing()
        return self._reader.query(plan, keys, min(page.limit, page.scan_budget) + 2, after)

    def _from_group(self, plan: Plan, keys: KeyRange, after: Position) -> KeyRange:
        """The range from the position's group on: an index has no place between rows of a group."""
        assert plan.index is not None
        _, sort = self._codec.layout.parts_of(plan.index)
        if sort is None or keys.equal is not None:
            return keys
        text = sort.text(after.sort_values)
        if keys.begins is not None:
            keys = KeyRange(lower=keys.begins, upper=_after_prefix(keys.begins))
        return replace(keys, lower=text) if plan.ascending else replace(keys, upper=text)

    def _row(self, plan: Plan, item: Item) -> Row:
        record = self._codec.decode(item)
        _, sort = self._codec.layout.parts_of(plan.index) if plan.index else (None, None)
        try:
            return Row(record, sort.decode(item[sort.attribute]) if sort else ())
        except (LookupError, ValueError) as error:
            raise Broken(f"{record.key} has an index attribute that the proxy did not write") from error


async def _nothing() -> Batches:
    return
    yield []


def _after_prefix(prefix: str) -> str | None:
    """The least text above all that begin with `prefix`, by code points; None if there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)

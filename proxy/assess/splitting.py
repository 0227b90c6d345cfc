"""Where a key is split into partition and sort part, so that the most of what is asked is served cheaply.

The key itself serves whoever fixes its partition; a local index does so in another order; everything else
costs a global index, which is a second table to pay for, and trails. So the fewest global indexes win, and
among equals the longest partition, which spreads best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from proxy.assess.needs import Need

LOCAL_LIMIT, GLOBAL_LIMIT = 5, 20


class Serving(Enum):
    """Which part of a table serves a need."""

    TABLE = "table"
    LOCAL = "local"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Split:
    """A key: the fields of its partition and of its sort part; whether local indexes are possible.

    They are not without a sort part, nor where a partition with local indexes would outgrow 10 GB.
    """

    partition: tuple[str, ...]
    sort: tuple[str, ...] = ()
    may_be_local: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        return self.partition + self.sort

    def serving(self, need: Need) -> Serving:
        """The cheapest that serves it."""
        if self._is_within(need) or self._is_beginning(need):
            return Serving.TABLE
        if self.sort and self.may_be_local and set(self.partition) <= set(need.equal):
            return Serving.LOCAL
        return Serving.GLOBAL

    def _is_within(self, need: Need) -> bool:
        """Whether the table, in its own order, has what is wanted in the order wanted."""
        equal = set(need.equal)
        if not set(self.partition) <= equal:
            return False
        varying = [name for name in self.sort if name not in equal]
        return list(need.order) == varying[: len(need.order)] or not varying

    def _is_beginning(self, need: Need) -> bool:
        """Whether it is an index on the first fields of the key, the whole partition among them."""
        names = need.fields
        return (
            need.index is not None
            and len(names) >= len(self.partition)
            and names == self.fields[: len(names)]
        )


def split(
    fields: Sequence[str], needs: Sequence[Need], fits_local: Callable[[tuple[str, ...]], bool]
) -> Split:
    """The best split of a key's fields, in their order. `fits_local` tells of a partition whether it may
    have local indexes."""
    names = tuple(fields)
    if len(names) == 1:
        return Split(names)
    splits = [
        Split(names[:place], names[place:], fits_local(names[:place])) for place in range(1, len(names))
    ]
    return max(splits, key=lambda each: (-globals_of(each, needs), len(each.partition)))


def globals_of(split: Split, needs: Sequence[Need]) -> int:
    """How many global indexes the needs cost."""
    wanted = {need.fields for need in needs if split.serving(need) is Serving.GLOBAL}
    return len(wanted)

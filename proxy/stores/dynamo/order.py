"""DynamoDB forgets the order of fields; a short string remembers it where it is not the sorted order.

One base-62 digit a field, in document order: the field's place in the list of names sorted by code point (the
order of their UTF-8). More than 62 fields take a list of numbers. None where the document is sorted already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

Order: TypeAlias = str | list[int]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PLACES = {digit: place for place, digit in enumerate(_DIGITS)}


def order_of(names: Iterable[str]) -> Order | None:
    """What leads from the sorted names back to the given order."""
    given = tuple(names)
    return _short_order(given) if len(given) <= len(_DIGITS) else _long_order(given)


def reorder(names: Iterable[str], order: object) -> Iterable[str]:
    """The names in their order; sorted where `order` is None or does not fit, because fields came or went."""
    ordered = sorted(names)
    if order is None:
        return ordered
    if type(order) is str:
        return _from_digits(tuple(ordered), order)
    return _from_places(ordered, order) if type(order) is list else ordered


@lru_cache(4096)  # the documents of a collection share a few shapes
def _short_order(names: tuple[str, ...]) -> str | None:
    places = _long_order(names)
    return None if places is None else "".join(_DIGITS[place] for place in places)


def _long_order(names: tuple[str, ...]) -> list[int] | None:
    ordered = sorted(names)
    if ordered == list(names):
        return None
    places = {name: place for place, name in enumerate(ordered)}
    return [places[name] for name in names]


@lru_cache(4096)
def _from_digits(ordered: tuple[str, ...], digits: str) -> tuple[str, ...]:
    return tuple(_from_places(ordered, [_PLACES.get(digit, -1) for digit in digits]))


def _from_places(ordered: Iterable[str], places: Sequence[object]) -> Iterable[str]:
    names = list(ordered)
    fitting = [place for place in places if isinstance(place, int)]
    if len(places) != len(names) or set(fitting) != set(range(len(names))):
        return names
    return [names[place] for place in fitting]

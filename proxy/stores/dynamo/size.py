"""How large DynamoDB holds an item to be: names and values, by the formula of its Developer Guide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy.stores.dynamo.values import Attribute, Item

_CONTAINER = 3  # bytes for a list or map itself, and one more an element


def item_size(item: Item) -> int:
    """Bytes of an item in DynamoDB's JSON form, without secondary indexes."""
    return sum(len(name.encode()) + value_size(attribute) for name, attribute in item.items())


def value_size(attribute: Attribute) -> int:
    """Bytes of one attribute value without its name."""
    kind, content = next(iter(attribute.items()))
    return _SIZES[kind](content)


def _number_size(text: str) -> int:
    """One byte for two significant digits, one more, and one for the sign."""
    mantissa = text.lstrip("-").lower().partition("e")[0]
    digits = mantissa.replace(".", "").strip("0") if "." in mantissa else mantissa.strip("0")
    return (len(digits) + 1) // 2 + 1 + (text[:1] == "-")


def _binary_size(base64: str) -> int:
    return len(base64) * 3 // 4 - base64.endswith("=") - base64.endswith("==")


def _map_size(content: Item) -> int:
    return _CONTAINER + len(content) + item_size(content)


def _list_size(content: list[Attribute]) -> int:
    return _CONTAINER + len(content) + sum(map(value_size, content))


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": lambda text: len(text.encode()),
    "N": _number_size,
    "B": _binary_size,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "M": _map_size,
    "L": _list_size,
}

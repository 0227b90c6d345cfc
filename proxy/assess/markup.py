"""HTML and SVG from Python values: whatever is no Markup is escaped, so no name of a field can be script."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: object, **attributes: Any) -> Markup:
    """`element("td", 5, class_="number")`; an attribute of None or False is left out, `_` becomes `-`."""
    told = "".join(
        f' {attribute.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for attribute, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{told}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Markup:
    """Children one after another; None is nothing."""
    parts = (
        child if isinstance(child, Markup) else escape(str(child)) for child in children if child is not None
    )
    return Markup("".join(parts))

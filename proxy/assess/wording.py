"""Numbers in words that people read."""

from __future__ import annotations

_SIZES = (("GB", 2**30), ("MB", 2**20), ("KB", 2**10))


def size(number: float) -> str:
    """`312 B`, `1.5 KB`, `24 MB`."""
    for unit, bytes_of in _SIZES:
        if number >= bytes_of:
            return f"{_short(number / bytes_of)} {unit}"
    return f"{number:.0f} B"


def money(amount: float, currency: str) -> str:
    """Two digits after the point, or as many as a small amount needs to be seen."""
    sign = "$" if currency == "USD" else f"{currency} "
    if 0 < amount < 0.01:
        return f"under {sign}0.01"
    return f"{sign}{amount:,.2f}"


def rate(number: float) -> str:
    """Of calls or units a second."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def share(part: float) -> str:
    """Some is never told as none, nor not quite all as all."""
    if 0 < part < 0.001:
        return "under 0.1 %"
    return "over 99.9 %" if 0.999 < part < 1 else f"{100 * part:.3g} %"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"

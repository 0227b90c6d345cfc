"""The table of prices: dated, and the user's own where one is given."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from datetime import date
from typing import Any


class PriceError(Exception):
    """The table of prices cannot be used; one sentence why."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a unit of each kind costs, in `currency`; a GB is 2**30 bytes, as AWS bills it."""

    as_of: str
    region: str
    currency: str
    source: str
    write_million: float
    read_million: float
    write_hour: float
    read_hour: float
    gb_month: float
    backup_gb_month: float
    import_gb: float
    streams_100_thousand: float


_WHERE = {
    "as_of": ("as_of",),
    "region": ("region",),
    "currency": ("currency",),
    "source": ("source",),
    "write_million": ("on_demand", "write_units_million"),
    "read_million": ("on_demand", "read_units_million"),
    "write_hour": ("provisioned", "write_unit_hour"),
    "read_hour": ("provisioned", "read_unit_hour"),
    "gb_month": ("storage", "gb_month"),
    "backup_gb_month": ("storage", "backup_gb_month"),
    "import_gb": ("storage", "import_gb"),
    "streams_100_thousand": ("streams", "read_units_100_thousand"),
}


def read_prices(text: str) -> Prices:
    """The table of a file's text. Raises PriceError naming the line that is missing or wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PriceError(f"the prices are no TOML: {error}") from error
    prices = Prices(**{entry.name: _value(data, entry.name) for entry in fields(Prices)})
    try:
        date.fromisoformat(prices.as_of)
    except ValueError as error:
        raise PriceError("as_of must be a date, as 2026-01-31") from error
    return prices


def _value(data: dict[str, Any], name: str) -> Any:
    path = ".".join(_WHERE[name])
    value: Any = data
    for word in _WHERE[name]:
        value = value.get(word) if isinstance(value, dict) else None
    if name in ("as_of", "region", "currency", "source"):
        if not isinstance(value, str | date):
            raise PriceError(f"{path} is missing from the prices, or no text")
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise PriceError(f"{path} is missing from the prices, or no amount")
    return float(value)

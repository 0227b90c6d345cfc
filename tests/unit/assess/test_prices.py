"""The table of prices: ours is whole, and of another's every mistake is named."""

from __future__ import annotations

from importlib.resources import files

import pytest

from proxy.assess.prices import PriceError, read_prices

OURS = files("proxy.assess").joinpath("prices.toml").read_text()


def test_ours_is_whole_and_dated() -> None:
    prices = read_prices(OURS)
    assert prices.as_of >= "2024-11-01"
    assert (prices.write_million, prices.read_million, prices.gb_month) == (0.625, 0.125, 0.25)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("write_units_million = 0.625", "", "on_demand.write_units_million is missing"),
        ("gb_month = 0.25", 'gb_month = "free"', "storage.gb_month is missing"),
        ("gb_month = 0.25", "gb_month = -1", "no amount"),
        ('as_of = "2024-11-01"', 'as_of = "lately"', "must be a date"),
        ("[storage]", "[storage", "no TOML"),
        ('region = "us-east-1"', "", "region is missing"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, said: str) -> None:
    assert old in OURS
    with pytest.raises(PriceError, match=said.replace(".", r"\.")):
        read_prices(OURS.replace(old, new, 1))

"""How the tests are shared among processes: nothing is lost, and what is said to take long exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.sharing import LONG, TOGETHER, in_order, unit_of

ROOT = Path(__file__).resolve().parents[2]
SHORT = [f"tests/unit/test_{number}.py" for number in range(40)]


@pytest.mark.parametrize("unit", [*LONG, *TOGETHER])
def test_what_is_named_exists(unit: str) -> None:
    assert (ROOT / unit).exists()


@pytest.mark.parametrize("processes", [1, 2, 3, 8, 100])
@pytest.mark.parametrize(
    "units", [[*SHORT, *LONG], SHORT, list(LONG), []], ids=["both", "short", "long", "none"]
)
def test_every_unit_is_handed_out_once(units: list[str], processes: int) -> None:
    assert sorted(in_order(units, processes)) == sorted(units)


def test_long_units_come_first_and_none_waits_behind_another() -> None:
    order = in_order([*SHORT, *LONG], 3)
    assert order[:6] == [*LONG[:3], *SHORT[:3]]
    later = order[6 : 6 + 2 * len(LONG[3:])]
    assert later[::2] == list(LONG[3:]) and set(later[1::2]) <= set(SHORT)


def test_modules_that_share_what_takes_long_to_start_stay_together() -> None:
    assert unit_of("tests/browser/test_page.py::test_x[light]") == "tests/browser"
    assert unit_of("tests/unit/test_main.py::test_x[a/b::c]") == "tests/unit/test_main.py"

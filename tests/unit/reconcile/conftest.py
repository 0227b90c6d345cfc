"""Jobs that are quick, and a site for them."""

from __future__ import annotations

import pytest

from proxy.reconcile import backfill as backfill_module
from proxy.reconcile import shift as shift_module
from tests.fixtures.yard import Yard
from tests.unit.reconcile.jobs import followed_yard


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift_module, "CHECKPOINT", 0.005)
    monkeypatch.setattr(shift_module, "IDLE", 0.002)
    monkeypatch.setattr(backfill_module, "FEED_TIMEOUT", 0.1)


@pytest.fixture
async def yard(quick: None) -> Yard:
    """A collection whose feed is followed, so that a backfill may begin."""
    return await followed_yard()

"""The benchmark of `make bench-move`, small: all that it promises but speed, which a busy machine hides."""

from __future__ import annotations

import pytest

from bench.move import KILLS, PEAK_MB, measure
from bench.moving.corruption import KINDS

DOCUMENTS = 2_000


@pytest.mark.timeout(600)
async def test_documents_are_moved_under_kills_compared_and_mended() -> None:
    found = await measure(DOCUMENTS, rate=20.0)
    assert (found.missing, found.overwritten, found.live_failures) == (0, 0, 0)
    assert found.kills == KILLS
    assert len(found.bare_loop_rates) == 2 and found.backfill_vs_bare_loop > 0
    assert (found.planted_kinds, found.found_kinds, found.false_alarms) == (KINDS, KINDS, 0)
    assert (found.found, found.unrepaired) == (found.planted, 0)
    assert 0 < found.verify_peak_mb_20k < PEAK_MB
    assert 0 < found.verify_peak_mb_200k < PEAK_MB

"""Jobs go at a crawl while clients need the replica, and never stand still."""

from __future__ import annotations

import time

import pytest

from proxy.reconcile import pacing
from proxy.reconcile.pacing import Pacing


async def test_jobs_crawl_while_clients_need_the_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "CRAWL", 0.05)
    crowded = True
    paced = Pacing(gives_way=lambda: crowded)
    began = time.monotonic()
    for step in (paced.enter(100), paced.take(10)):
        await step
    assert time.monotonic() - began >= 0.1
    crowded = False
    took = []
    for _ in range(5):
        began = time.monotonic()
        await paced.take(10)
        took.append(time.monotonic() - began)
    assert min(took) < 0.05

"""A short soak with every run, and proof that one can fail: proxies that leak and slow down are found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.embedded.stores import Stores
from tests.soak.report import save, tell
from tests.soak.soak import soak
from tests.soak.troubles import PROGRAMME, Troubles

PLANT = """
import ctypes, os, threading, time

holding_everybody_up = ctypes.PyDLL(None).usleep  # it keeps the interpreter's lock, and the processor idle

def rot():
    kept = []
    while True:
        kept.append(b"x" * (1 << 17))
        if os.path.exists({signal!r}):
            holding_everybody_up(150_000)
        time.sleep(0.03)

threading.Thread(target=rot, daemon=True).start()
"""
"""Makes any Python leak megabytes a second, and slow from a signal on."""


@pytest.mark.timeout(280)
async def test_a_soak_is_sound(stores: Stores) -> None:
    outcome = await soak(stores, 26.0)
    print(tell(outcome))
    wrong = [one for one in outcome.wrong if not one.startswith("latency")]  # how fast is for `make soak`
    assert wrong == []
    for what in ("acknowledged writes", "reads", "lists", "finds and updates", "reservations", "bad input"):
        assert outcome.tried[what] > 20, what
    for what in ("oversize", "large documents", "past the proxy, inserted", *(name for name, _ in PROGRAMME)):
        assert outcome.tried[what] > 0, what
    for replica in ("replica-0", "replica-1"):
        mine = [one for one in outcome.samples if one.replica == replica]
        assert len(mine) > 10 and all(50 < one.memory < 300 and one.files > 10 for one in mine)
        assert any(one.queues["shadow"] for one in mine)
    assert len({one.pid for one in outcome.samples}) == 3, "one of the two was killed and started again"


async def test_a_proxy_that_leaks_and_slows_down_is_found_out(stores: Stores, tmp_path: Path) -> None:
    signal = tmp_path / "now"
    (tmp_path / "sitecustomize.py").write_text(PLANT.format(signal=str(signal)))

    async def nothing(troubles: Troubles, seconds: float) -> None:
        """The first half of the soak passes."""

    async def rot(troubles: Troubles, seconds: float) -> None:
        signal.touch()

    programme = (("nothing", nothing), ("rot", rot))
    outcome = await soak(stores, 26.0, programme=programme, environment={"PYTHONPATH": str(tmp_path)})
    print(tell(outcome))
    told = {one.partition(":")[0] for one in outcome.wrong}
    assert {"memory", "latency"} <= told
    assert tell(outcome).splitlines()[-1].startswith("NOT sound")
    save(outcome, tmp_path / "samples.csv")
    assert len((tmp_path / "samples.csv").read_text().splitlines()) == len(outcome.samples) + 1

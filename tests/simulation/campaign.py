"""Seeds to run, and what running one means."""

from __future__ import annotations

import logging

from tests.simulation.tracing import Trace
from tests.simulation.virtual_time import run
from tests.simulation.world import CALM, TROUBLE, Verdict, World

_log = logging.getLogger("crossfade")


def run_seed(seed: int, is_traced: bool = False) -> Verdict:
    """One world, from its seed to its verdict. The application's warnings are expected: only a trace has them."""
    trace = Trace(is_traced)
    _log.addHandler(trace)
    propagates, _log.propagate = _log.propagate, False
    try:
        return run(World(seed, trace).run(), horizon=TROUBLE + 3 * CALM)
    except TimeoutError:
        return Verdict(seed, ["the world never came to rest"], [])
    finally:
        _log.propagate = propagates
        _log.removeHandler(trace)

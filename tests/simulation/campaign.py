"""Seeds to run, and what running one means."""

from __future__ import annotations

import logging

from tests.simulation.mutants import MUTANTS
from tests.simulation.tracing import Trace
from tests.simulation.virtual_time import run
from tests.simulation.world import CALM, TROUBLE, Verdict, World

PROCESSES = 2
PATIENCE = 200
"""Seeds within which a mutant must be caught."""

_log = logging.getLogger("crossfade")


def run_seed(seed: int, is_traced: bool = False) -> Verdict:
    """One world, from its seed to its verdict. Warnings are expected: only a trace has them."""
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


def catch(mutant: str, patience: int = PATIENCE) -> int | None:
    """The first seed that notices a mutant; None when none of the first `patience` does."""
    with MUTANTS[mutant]():
        for seed in range(1, patience + 1):
            verdict = run_seed(seed)
            if verdict.broken or verdict.slips:
                return seed
    return None

"""Seeds to run, and what running one means."""

from __future__ import annotations

import logging

from tests.simulation.virtual_time import run
from tests.simulation.world import CALM, TROUBLE, Verdict, World


def run_seed(seed: int) -> Verdict:
    """One world, from its seed to its verdict. The application's own warnings are expected, and silenced."""
    logging.disable(logging.CRITICAL)
    try:
        return run(World(seed).run(), horizon=TROUBLE + CALM + 60)
    finally:
        logging.disable(logging.NOTSET)

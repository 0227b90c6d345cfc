"""Seeds to run, and what running one means."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context

from tests.simulation.mutants import MUTANTS
from tests.simulation.promises import Complaint, Promise
from tests.simulation.recipes import recipe_of, seeds_of
from tests.simulation.tracing import Trace
from tests.simulation.virtual_time import run
from tests.simulation.world import CALM, Verdict, World

PROCESSES = 2
PATIENCE = 60
"""Seeds of its focus within which a mutant must be caught."""

_log = logging.getLogger("crossfade")


def open_pool() -> ProcessPoolExecutor:
    """Processes that run seeds and do nothing else."""
    return ProcessPoolExecutor(PROCESSES, get_context("spawn"), _be_thrifty)


def _be_thrifty() -> None:
    """Look for garbage between two worlds, and not, as Python would, a hundred times in each."""
    gc.freeze()
    gc.disable()


def run_seed(seed: int, is_traced: bool = False) -> Verdict:
    """One world, from its seed to its verdict. Warnings of the application are expected: a trace has them."""
    trace = Trace(is_traced)
    _log.addHandler(trace)
    propagates, _log.propagate = _log.propagate, False
    recipe = recipe_of(seed)
    world = World(seed, recipe, trace)
    try:
        return run(world.run(), horizon=recipe.length + 3 * CALM)
    except TimeoutError:
        return Verdict(seed, (Complaint(Promise.REST, "it went on for ever"), *world.chronicle.complaints))
    finally:
        _log.propagate = propagates
        _log.removeHandler(trace)
        if not gc.isenabled():
            gc.collect()


def again(seed: int) -> str:
    """The command that runs a seed once more and prints what happens in it."""
    return f"python -m tests.simulation --seed {seed} --trace"


@dataclass(frozen=True, slots=True)
class Catch:
    """How a mutant was noticed: by which seed, after how many, and which promises it broke there."""

    seed: int
    tried: int
    promises: tuple[Promise, ...]


def hunt(name: str, patience: int = PATIENCE) -> Catch | None:
    """The first seed of its focus that notices a mutant; None when none of the first `patience` does."""
    return next(catches(name, patience), None)


def catches(name: str, patience: int) -> Iterator[Catch]:
    """All of them."""
    mutant = MUTANTS[name]
    with mutant.change():
        for tried, seed in enumerate(islice(seeds_of(mutant.focus), patience), 1):
            if complaints := run_seed(seed).complaints:
                yield Catch(seed, tried, tuple(dict.fromkeys(one.promise for one in complaints)))

"""Plays a target in rounds of generated cases until the time is up, or something is found."""

from __future__ import annotations

import asyncio
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import HypothesisWarning
from hypothesis.strategies import SearchStrategy

from tests.fuzz.calls import Bytes, Calls, Tokens, calls, mutated, twists
from tests.fuzz.operators import Operators, requests
from tests.fuzz.twins import Twins

Target = Bytes | Calls | Tokens | Operators
WIRE: dict[str, tuple[Callable[[Twins], Target], SearchStrategy[Any]]] = {
    "calls": (Calls, calls),
    "bytes": (Bytes, mutated()),
    "tokens": (Tokens, twists),
    "operators": (Operators, requests),
}
GUIDED = ("documents", "filters", "updates", "tokens", "keys")


@dataclass(slots=True)
class Tally:
    """What one target came to."""

    name: str
    cases: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    finding: str = ""


def play(
    name: str, twins: Twins, seconds: float, seed: int, examples: int = 50, *, shrinks: bool = True
) -> Tally:
    """One round at least, and more while there is time; each has a seed of its own that reproduces it."""
    make, cases = WIRE[name]
    target, tally = make(twins), Tally(f"wire: {name}")
    began = time.monotonic()
    while not tally.finding and (tally.cases == 0 or time.monotonic() - began < seconds):
        tally.finding = _round(target, cases, seed + tally.cases, examples, shrinks)
        tally.cases += examples
    tally.seconds, tally.answers = time.monotonic() - began, target.answers
    return tally


def _round(target: Target, cases: SearchStrategy[Any], seed: int, examples: int, shrinks: bool) -> str:
    """What was found, with the smallest case that shows it; empty where nothing was."""

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        report_multiple_bugs=False,
    )
    @given(cases)
    def one(case: Any) -> None:
        target.check(*case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)  # large grammars have long names
        try:
            one()
        except Exception as error:
            return f"{type(error).__name__}: {error} (seed {seed})"
    return ""


async def guide(name: str, seconds: int) -> Tally:
    """Let coverage guide the inputs of one target, in a process of its own."""
    tally, began = Tally(f"guided: {name}"), time.monotonic()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fuzz.guided", name, str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await child.communicate())[0].decode("utf-8", "replace")
    tried = re.findall(r"^tried (\d+)$", said, re.MULTILINE)
    tally.cases, tally.seconds = int(tried[-1]) if tried else 0, time.monotonic() - began
    if child.returncode != 0 or not tried:
        tally.finding = said[-2000:]
    return tally

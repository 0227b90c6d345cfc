"""Arming a process from outside: what can be written, and when it strikes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from proxy.core.errors import Outcome, Unavailable
from proxy.faultpoint import Arming, Misfortune, arm_all, disarm, faultpoint, read_armings


def test_armings_are_read_as_they_are_written() -> None:
    assert read_armings("") == ()
    assert read_armings("pipeline.between_stores=kill@20, cutover.fence=stop") == (
        Arming("pipeline.between_stores", Misfortune.KILL, 20),
        Arming("cutover.fence", Misfortune.STOP),
    )


@pytest.mark.parametrize(
    "word", ["cutover.fense=kill", "cutover.fence=explode", "cutover.fence", "mirror.before_write=kill@x"]
)
def test_an_arming_that_would_never_strike_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"docs/faultpoints\.md"):
        read_armings(word)


async def test_an_error_strikes_at_the_time_that_is_counted() -> None:
    arm_all(read_armings("mirror.before_write=error@2"))
    try:
        await faultpoint("mirror.before_write")
        with pytest.raises(Unavailable) as caught:
            await faultpoint("mirror.before_write")
        await faultpoint("mirror.before_write")
    finally:
        disarm("mirror.before_write")
    assert caught.value.outcome is Outcome.UNKNOWN


def test_a_kill_is_a_real_one() -> None:
    program = (
        "import asyncio; from proxy.faultpoint import *; arm_all(read_armings('cutover.hold=kill'));"
        "asyncio.run(faultpoint('cutover.hold'))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL

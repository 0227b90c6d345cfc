"""A child process that does not outlive this one (on Linux), is known by its pid, and keeps a log.

Invariant: every child is started by one thread that lives as long as the process, because the
kernel's parent-death signal follows the thread that started the child (prctl(2)).
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from proxy.embedded.missing import MissingPart

_LEASH = Path(__file__).with_name("leash.py")
_nursery = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-nursery")


@dataclass(frozen=True, slots=True)
class Child:
    """One running (or ended) process; its output is in `log`."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def has_exited(self) -> bool:
        return self.process.poll() is not None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End it at once, as a power cut would; returns when it is gone."""
        self.process.kill()
        self.process.wait()

    async def stop(self, grace: float = 10.0) -> None:
        """Ask it to end, and kill it after `grace` seconds. Harmless when it has ended already."""
        self.process.send_signal(signal.SIGTERM)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self.process.wait, grace)
        finally:
            self.kill()

    async def wait_until(self, is_ready: Callable[[], Awaitable[bool]], within: float) -> bool:
        """Ask until it is ready; False when the child ended first, MissingPart after `within` s."""
        deadline = time.monotonic() + within
        while not self.has_exited:
            if await is_ready():
                return True
            if time.monotonic() > deadline:
                raise MissingPart(
                    f"{self.name} (pid {self.pid}) was not ready within {within:.0f} s: "
                    f"the machine may be overloaded; its last words: {_last_line(self.output())}"
                )
            await asyncio.sleep(0.02)
        return False

    def died_early(self) -> MissingPart:
        """The sentence for a child that ended with no reason that we know."""
        return MissingPart(
            f"{self.name} ended by itself with exit code {self.process.returncode}; "
            f"its last words: {_last_line(self.output())}"
        )


def spawn(
    name: str,
    command: Sequence[str | Path],
    log: Path,
    directory: Path,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start `command` (its first part an absolute path) in `directory`, in a session of its own.

    Its own session keeps a Ctrl+C in the terminal from reaching it before we stop it in order. The
    environment is this process's own unless another is given.
    """
    leashed = [sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *command]
    return Child(name, log, _nursery.submit(_start, leashed, log, directory, environment).result())


def _start(
    command: Sequence[str | Path], log: Path, directory: Path, environment: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "(none)"

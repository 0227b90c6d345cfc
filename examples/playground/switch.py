"""Turning the playground on and off: starts its keeper and waits for it, or ends it and waits for that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from examples.playground.place import DIRECTORY, LOG, ROOT, Running, is_keeper, running

_START_LIMIT = 120.0  # seconds
_STOP_LIMIT = 30.0
_PAUSE = 0.1


class StartFailed(Exception):
    """The keeper ended before everything ran; `status` is its exit code."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def start(port: int) -> Running:
    """Start a keeper that outlives this process. Returns once everything runs; raises StartFailed."""
    keeper = _spawn(port)
    deadline = time.monotonic() + _START_LIMIT
    try:
        while keeper.poll() is None:
            if found := running():
                return found
            if time.monotonic() > deadline:
                raise StartFailed(f"it was not ready within {_START_LIMIT:.0f} s: see {LOG}", 1)
            time.sleep(_PAUSE)
    except BaseException:
        keeper.terminate()
        keeper.wait(_STOP_LIMIT)
        raise
    raise StartFailed(LOG.read_text(errors="replace").strip(), keeper.returncode or 1)


def stop(found: Running) -> None:
    """End the keeper, and so all that it keeps; returns when it is gone."""
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_LIMIT
    while is_keeper(found.pid):
        if time.monotonic() > deadline:
            os.kill(found.pid, signal.SIGKILL)
            return
        time.sleep(_PAUSE)


def _spawn(port: int) -> subprocess.Popen[bytes]:
    DIRECTORY.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "examples.playground", "keep", "--port", str(port)]
    with LOG.open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

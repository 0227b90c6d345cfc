"""Directories of throw-away data, removed when we stop, or by the next start after we were killed.

Invariant: a directory whose lock is held belongs to a living process and is left alone.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "crossfade-embedded-"
_LOCK = "owner.lock"
_YOUNG = 60.0  # seconds: a new directory may not have got its lock yet


class ScratchDirectory:
    """A new directory under the system's temporary one, locked while this process lives."""

    def __init__(self) -> None:
        sweep_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep_abandoned() -> None:
    """Remove what processes that were killed left behind (a mongod leaves 300 MB)."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if _is_ours_and_old(directory) and _is_abandoned(directory):
                shutil.rmtree(directory, ignore_errors=True)


def _is_ours_and_old(directory: Path) -> bool:
    status = directory.lstat()
    return status.st_uid == os.getuid() and time.time() - status.st_mtime > _YOUNG


def _is_abandoned(directory: Path) -> bool:
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
